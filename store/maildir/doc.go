// Package maildir keeps an account in Maildirs as Dovecot does: Maildir++ or
// LAYOUT=fs, with dovecot-uidlist, dovecot-keywords and subscriptions.
//
// # Contract
//
//   - What Dovecot 2.3 shows of an account (names, UIDVALIDITY, UIDs, UIDNEXT,
//     mailbox and message GUIDs, flags, keywords, received dates, subscriptions)
//     is what this package shows, and the other way round.
//   - Dovecot, mutt, mbsync and delivery agents may work in the same directories
//     at any moment. UIDs are bound under dovecot-uidlist.lock; a message is
//     changed by renaming exactly the file that was seen; nothing is overwritten.
//   - A message is either absent or complete: it is written and synced in tmp/ and
//     then renamed into cur/ under the name that was chosen for it (its Key).
//   - Nothing is written through a symbolic link. A mailbox that is a link is
//     listed as skipped.
//   - Owner, group and mode of what is made are those of the directory it is made
//     in.
//
// # Files of our own
//
//	dsync.lock          in the root: flock by the run at work; never written to, never removed
//	dsync-mark          in the root: Mark
//	dsync-moves         in the root: renames and deletions under way (journal.go)
//	dsync-account       in the root: the account's attributes (attributes.go)
//	dsync-attributes    in mailboxes: theirs
//	dsync-move.*        mailboxes on their way (journal.go)
//	dsync-tmp.*         files and directories not yet in place
//	tmp/dsync-tmp.*     staged messages
//
// # Keywords
//
// File names hold 26 keywords a mailbox (the letters a to z). When all are dealt,
// the flags and the keywords that have a letter are set, and the others are reported
// as not shown (store.Done). A letter once dealt is never taken back.
//
// A line of dovecot-keywords that names no letter or no keyword stands for none; it is
// kept, and Describe reports the first of them as a Skip.
//
// # Damage
//
// A dovecot-uidlist without a readable first line counts as not there: no message
// has a UID, UIDVALIDITY is zero, and Describe reports the file as a Skip. Lines
// that cannot be read count alone as not there. A damaged dsync-attributes is an
// error of Tree, Status and Scan, for it may be the only copy of what it held.
//
// # Message GUIDs
//
// A message's GUID is the field G of its line, else its base name up to the first
// ':' (with ",S=" and ",W="), as Dovecot has it. One with a space in it, which G
// cannot hold, stands in hexadecimal in a field Y of ours; Dovecot keeps that, and
// shows the base name. Names of our making carry no ",S=" and ",W=": the base name
// is exactly the key that was chosen, and the sizes stand in the line (S, W).
package maildir
