// Package logdb keeps change logs in one Pebble database: the logs of many
// accounts, each key beginning with the account. It is the one importer of Pebble.
// Tests and the laboratory keep theirs on a Disk in memory instead, under the same
// contract.
//
// # Contract
//
//   - A Batch of one account becomes true as a whole or not at all. Commit(true)
//     makes it, and every batch committed before, durable. After a crash the
//     database holds a prefix of the commits that has all durable ones.
//   - Nothing is written that could not be read back: every value is decoded when
//     it is put, and a batch with one that cannot be is refused as a whole.
//   - Every value read is checked (length, checksum over key and payload, strict
//     decoding). Damage is a *changelog.CorruptError that names the key; it is
//     never a panic, an empty result or a missing entry. An account whose meta is
//     gone is damaged, not absent.
//   - The indexes follow from records and tree: Check compares them, Rebuild makes
//     them anew. An entry that is lost cannot be made anew: then drop the account
//     and look at the store as one without history (a dot counted as seen whose
//     effect is absent would read as a deletion).
//   - A failed write of Pebble's own log ends the database: Options.Fatal, then
//     ErrDead from everything. What stands at the next Open is sound.
//   - Trim removes events, reports and lists of vanished UIDs only; no result of a
//     sync depends on it.
//   - One process has the database open at a time; others get store.ErrBusy with
//     its number.
//
// An account is written by one goroutine at a time, who holds the store's lock;
// reading, and work on different accounts, may go on beside it. Entries handed out
// are the caller's; entries handed in are encoded at once and not kept.
//
// # Keys
//
// A key is the account's identity (8 bytes), a letter, and the rest. Numbers are
// big-endian. A dot is replica 8, epoch 4, seq 8. Account 0 is the database.
//
//	letter  rest                                      value
//	M                                                 Meta without Tree and Peers, with Rest
//	t                                                 Meta.Tree
//	P                                                 Meta.Peers
//	B       mailbox GUID 16                           Mailbox
//	r       dot 20 (smallest origin)                  Record
//	n       mailbox GUID 16                           changelog.Node
//	s       name                                      changelog.Bare
//	u       path                                      []changelog.Held
//	h       mailbox GUID 16, hash 8, message 20       none: index of names
//	g       message GUID, 0, message 20               none: index of contents
//	m       dot 20, kind 1, entry                     none: index of mentions
//	e       sequence of the first event 8             up to 256 events
//	p       sequence 8                                a report
//	i       identity 8                                Intent
//	v       mailbox GUID 16, modseq 8, first UID 4    range of vanished UIDs; first
//	                                                  UID 0: trimmed up to there
//	z                                                 first sequences not trimmed
//
//	F       (account 0)                               Format
//	L       (account 0) location                      account and identity
//	S       (account 0) smaller account 8, larger 8   state string
//
// Kinds in m: 0 the dot is an origin of the message but not its identity, 1 it is
// mentioned by the message, 2 by the node, 3 by the bare subscription. A message's
// own identity has no key in m, since its record stands under it: an ordinary new
// message costs three keys (r, h, g).
//
// # Values
//
// A value is CRC-32C over key and payload (4 bytes), then the payload, at most
// MaxValue together. Index keys have no value. Payloads are canonical msgpack
// (package pack), arrays that begin with a format number:
//
//	Meta     [1, replica, epoch, seq, time, count, seen, [seq, tag…], print, racy,
//	          mark, highest modseq, last look, location, identity, digest, flags, []];
//	          at rest it is [2, the same, [sum of looks, oldest event or report, [path…]]]
//	Tree     [1, [path, node, noselect, dir…]]
//	Peers    [1, [replica, epoch, dots, met…]]
//	Mailbox  [1, node, path, GUID, UIDVALIDITY, UIDNEXT, modseq, [key, value…],
//	          print, racy, UID print, count, digest, [item, reason…], []]
//	Record   [1, mailbox, [handle], hash, modseq, inode], then the message;
//	         mailbox is true if it is where the message's presence puts it; a
//	         handle that holds the message's GUID is [before it, after it]
//	events   [1, written at, number], then changelog.AppendEvents
//	report   [1, written at, bytes]
//	Intent   [1, kind, bytes]
//	floor    [1, event, report]
//	range    [2, last UID, written at]; before: the last UID alone
//	location [1, account, identity]
//
// A value of another format number is a CorruptError that names both. A change of
// keys raises Format; a database of a higher Format is ErrFormat.
package logdb
