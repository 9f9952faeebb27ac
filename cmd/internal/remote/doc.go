// Package remote is what two dsync processes say to each other besides the frames
// of a session: which run is asked for, what is worth telling people, what the far
// end did. It puts wire and session together, and finds the other process: a child
// such as ssh, or a server on the network.
//
// # Contract
//
//   - One Link is one connection. The end that made it (the near end) asks for one run
//     after another; the far end answers. Orders and accounts are JSON, for they are few
//     and small, may grow a field without a new version, and can be read in a raw log;
//     session frames and bodies are what they are in replay/session.
//   - Nothing that comes is believed: an order says what to do, never where. Sizes are
//     bounded by wire's limits, depth by the types that are read into.
//   - A far end that cannot go on says why with an exit status (cli.md) and a sentence;
//     the near end gets it as *wire.Error.
//   - Close ends a child: it is given 30 s to end by itself, then 2 s after SIGTERM, then
//     killed; what it wrote to standard error is passed on line by line, and its exit
//     status is named if it is not 0.
package remote
