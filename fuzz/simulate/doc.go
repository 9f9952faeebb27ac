// Package simulate makes worlds of two to five replicas from a seed, lets faults loose
// on them, and asks the laws.
//
// # Contract
//
//   - A world is a scenario (fuzz/scenario), a function of its seed and the Options
//     alone. It is played by an engine of fuzz/engine, in one goroutine and in virtual
//     time, with real session machines, frames, recorders and logs, and judged by
//     fuzz/lab after every step; no other model knows what is right.
//   - Most worlds keep mail in store/memory and logs on logdb.Disk: the same seed gives
//     the same trace. Every 50th has its logs in Pebble on a file system that crashes,
//     every 20th its mail in Maildirs: those repeat in result.
//   - A history has phases: changes, runs and faults; then faults stop, one sweep gets
//     over them, and from there on all replicas must come to the same within the
//     bound of P17.
//   - A world that breaks a law is made small (operations, replicas, messages, faults)
//     as long as it breaks that law, and is again a scenario: `dsync lab run` plays it.
//   - Worlds share nothing; Run plays several at once.
package simulate
