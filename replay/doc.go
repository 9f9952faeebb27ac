// Package replay makes a replica's store what a merge says it should be.
//
// # Contract
//
//   - A Plan is a value: the effects on one store, in an order, printable. It is
//     made from what the replica holds and what it is to hold, and from nothing
//     else.
//   - A Player carries a plan out in three parts: Tree (renames, new mailboxes),
//     Bodies (new messages), Rest (moves, flags, UIDs, and last what removes).
//     The peer may be served bodies of this store until Rest begins.
//   - Every effect is intended in the log before it is made (synced), made durable,
//     and recorded in the log afterwards. An intent names the one file name that
//     it will make. Settle, called before the next look, finds out which intended
//     effects stand and records those.
//   - Every effect is compare-and-set. What fails is named in the Report and stays
//     a hole; everything else is done (P22).
//   - Playing a plan again that was played does nothing.
package replay
