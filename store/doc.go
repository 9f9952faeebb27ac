// Package store defines the words of mail — mailbox, message, UID, GUID,
// flag, keyword — and the one interface that every backend meets.
//
// # Contract
//
//   - The package is pure: no clock, disk, socket, goroutine or global random.
//   - A Store is one account. It knows nothing of change logs, peers or merges;
//     it lists what is there, says cheaply whether something changed, and makes
//     changes under compare-and-set.
//   - What a store can do is asked (Capabilities), never assumed.
//   - Every effect that Apply, the mailbox methods and SetMark report as done is
//     durable when they return. Stage is not: SyncStaged makes it so.
//   - Other programs (Dovecot, mutt, mbsync, a delivery agent) may change the
//     same account at any moment. A change that finds its message otherwise than
//     the caller saw it fails with ErrChanged and leaves that message alone.
//   - Names come from outside. Name.Check is called before one becomes a path.
//
// A Store may be used by several goroutines for reading and staging; writes to
// one mailbox are made one at a time by the caller.
package store
