// Package owner lets many processes use one change log, which only one can have open:
// its owner. The others hand their work to it.
//
// # Contract
//
//   - Every process that opens a change log for writing is its owner while it runs, and
//     listens on the socket "dsync.sock" in the directory: mode 0600, made, replaced and
//     removed only by who holds the database's lock. Who finds the database locked
//     connects to that socket and hands its work over: a run as engine.Options without
//     what is code, a far end ("dsync server") as two descriptors and where the mail is,
//     a look as its options. For a run with a far end behind a command the asker makes
//     the child, keeps it, and passes the two pipes; a far end on the network is called
//     by the owner.
//   - Notices and progress come back while the work is under way, the report at its end;
//     the asker prints them as if it had done the work. Where the asker closes its end of
//     the socket (it is interrupted, or dead) the work's context ends: as a run ends
//     that gets SIGINT. The report still comes where somebody takes it.
//   - Nothing is begun before the owner has said "taken", and nothing that was taken is
//     asked for again. An owner that dies, refuses or does not answer before that leaves
//     the asker free to try again: it goes on trying the lock, and whatever socket there
//     is, until -l is over; then the error wraps store.ErrBusy and names the owner's pid.
//     An owner that dies after it leaves the asker with status 75: what was done stands,
//     and a run again goes on from there.
//   - Both check the other by SO_PEERCRED: the same effective user, or nothing is said.
//     A socket that is another user's, or that group or others may use, is not used.
//     What is handed over is Go's gob; both must be built of the same types (a print of
//     them is compared), see each other's files under the same names (mount namespace
//     and root), and speak Format. Else the asker waits for the lock.
//   - An owner that is asked to close finishes what was handed to it and takes nothing
//     new, but far ends while anything of that is under way: the near end of such a far
//     end may hold, elsewhere, the lock for which the owner's guests wait, and would wait
//     for this owner in turn. (farGrace bounds that.)
//   - No lock is waited for while another is held, but those of stores, which are locked
//     in one order in all the world (replay/session) and, within the owner, in the order
//     in which runs came (engine).
//   - An asker that takes nothing for askerStall is given up, one that hears nothing for
//     ownerStall gives its owner up; an owner has at most maxGuests.
package owner
