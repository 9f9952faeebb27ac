// Package changelog says what happened to a mail account, and what is there
// because of it.
//
// # Contract
//
// The package is pure: no clock, disk, socket, goroutine, global random or map
// order. Everything in it is a value; who keeps the values durable (logdb) and
// who finds the changes (recorder) are other packages.
//
//   - A Dot names one change for good: replica, epoch, sequence number.
//   - Dots is a set of them; what a replica has seen is such a set (Seen).
//   - A Message or a Node (of the mailbox tree) is an entry: the set of writes
//     that still count, each under its dot, and in Past the dots of those that no
//     longer do.
//   - A register is a set of writes. A new local write replaces all of it; a merge
//     keeps or drops writes, it never makes one. The value shown is a pure
//     function of the set.
//   - A View is all entries of one replica. Layout derives from it the mailboxes
//     as a mail client sees them.
//
// Methods that change an entry change it in place; whoever shares entries clones
// them first. Slices inside entries are kept sorted, so that equal entries encode
// to equal bytes.
package changelog
