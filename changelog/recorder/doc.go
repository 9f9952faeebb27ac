// Package recorder wraps a mail store with its change log: it finds what others
// did to the store since the last look, and logs it.
//
// # Contract
//
//   - Whoever uses a Recorder holds the store's lock (store.Store.Lock), from Open
//     to the end. One goroutine at a time calls its methods.
//   - Open finds the account of the store in the log, or starts a new replica.
//     Scan settles what a dead run left, compares the store with the log and logs
//     the difference. Afterwards the log's view shows what the store shows, but
//     for what the Look names (Doubt, Absent, Restored, Skipped).
//   - A change found gets one dot, and a stamp from evidence in the store, not
//     before the last look and not after this one. All stamps of a scan are taken
//     against the clock as it was at its start: the order in which things are
//     found does not count. Where there is no history everything is Found: dots
//     with zero stamps.
//   - Absence is an expunge only if all changed mailboxes were listed, stood still
//     meanwhile, and the message is nowhere in them. Else it is in doubt: nothing
//     is logged, the mailbox is named in Look.Doubt and looked at again next time.
//   - A scan that finds nothing writes nothing. An unchanged mailbox costs one
//     MailboxLook.
//   - Effects are not made here, but for one: of two mailboxes with one GUID the
//     one that came later is given another (not if ReadOnly).
//
// # What the log holds of a message
//
// A record is held (Record.Mailbox is set) while the store has the message, as far
// as the log knows. Three things fall outside the pairs "live and held" and
// "tombstone and not held":
//
//   - Live, not held: the store lost the message and nobody expunged it (the store
//     was restored from a backup), or it was not fetched yet. It is to be fetched or
//     made again. Meta.Flags has FlagUnheld while there may be such records.
//   - Held in another mailbox than Place says, or held as a tombstone: a restored
//     store shows what the log knows to have changed since. It is to be put right.
//   - Absent: the log holds it, the store does not, and the safety brake or a doubt
//     keeps the log from saying so. The record stays as it was, Look.Absent names
//     it, and the mailbox is looked at again next time; this run must neither touch
//     it nor make it again.
//
// # Order of writing
//
// One batch holds all that a scan found, with the mailboxes' looks and Meta, so a
// crash leaves the log as it was before. Large scans commit in several batches,
// each complete in itself: records whose dots are in Meta.Seen, the tree they name,
// mailboxes with digests that fit but without looks, so that the next scan lists
// them again and finds the rest. The last batch is synced.
package recorder
