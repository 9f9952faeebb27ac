// Package session is one sync between two replicas: a step machine without I/O,
// and the one loop that drives it.
//
// # Contract
//
// Both ends run the same Machine in lock step. Each exchange is one frame in each
// direction:
//
//	hello   who I am, what I have seen, the digest of what I hold, the run's options
//	delta   every entry that mentions a change you have not seen, and the tree
//	more    the counterparts of what you sent, until neither side has any
//	hashes  header hashes of messages whose GUID both sides bring in
//	plan    the hash of the merged result; unequal: nothing is written
//	ready   my mailboxes stand under their names; bodies may be asked for
//	fed     I need no more of your bodies
//	report  what failed here, and my digest now
//
// Two ends that have seen the same and have equal digests part after hello.
//
//   - Machine is pure: it takes frames and results and gives the next Action. It
//     merges for itself; both ends compute the same.
//   - End does what an action asks: it reads and writes one replica.
//   - Driver makes one step after another, Both is the loop for two ends of one
//     process. It may be cancelled at any moment; what was done stands in the log,
//     and the next run goes on from there.
package session
