// Package session is one sync between two replicas: a step machine without I/O,
// and the one loop that drives it.
//
// # Contract
//
// Both ends run the same Machine; the one that started the run speaks first, and each
// sends as early as it can, so that few round trips pass:
//
//	hello   who I am, what I have seen, the digest of what I hold, the run's options
//	range   how far I would like to come in this part of the run
//	delta   every entry that mentions a change you have not seen, and the tree
//	more    in turns: the counterparts of what you sent, until neither side has any
//	hashes  header hashes of messages whose GUID both sides bring in; left out if there are none
//	plan    the hash of the merged result; unequal: nothing is written. And: I will need
//	        bodies; my store stays still
//	ready   to one that needs bodies: my mailboxes stand under their names; ask
//	fed     to one that does not stay still: I need no more of your bodies
//	report  what failed here, and my digest now
//
// The other end answers a hello with hello, range and, if all of it fits into one
// part, delta; the starter sends range, delta and more at one go. So two ends that
// have seen the same and have equal digests part after one round trip, and changes
// that need no bodies cost three, with the one of hello.
//
//   - Machine is pure: it takes frames and results and gives the next Action. It
//     merges for itself; both ends compute the same.
//   - End does what an action asks: it reads and writes one replica.
//   - Driver makes one step after another, Both is the loop for two ends of one
//     process. It may be cancelled at any moment; what was done stands in the log,
//     and the next run goes on from there.
package session
