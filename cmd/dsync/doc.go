// Command dsync keeps two mail accounts equal, as doveadm sync and backup do, and
// says afterwards what it did and why.
//
// # Contract
//
//   - Options keep the letter and meaning that doveadm-sync(1) gives them. All of
//     them stand in one table (options.go), all commands in another (commands.go);
//     parsing, help, the manual page and completions are made from these.
//   - sync and backup print exactly one line on standard output on every exit but
//     usage errors and a second signal's: the state. With --json it is a member of
//     the last line. A dry run prints the plan instead, -s auto nothing; with -F
//     there is a line for each user, in order.
//   - Everything else goes to standard error, one line each, control characters
//     escaped: "dsync(USER): Error: …".
//   - Exit statuses are those of engine (cli.md, Exit).
//   - The first SIGINT or SIGTERM ends the run cleanly with 75, a second at once.
//   - A command that fails has printed no part of its result.
package main
