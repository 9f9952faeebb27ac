// Package serve is what "dsync serve" needs besides the change log that it owns: it
// tells systemd how it stands, counts what runs came to, and answers on a local address.
//
// # Contract
//
//   - Notifier speaks the protocol of sd_notify(3): one datagram each, to the socket that
//     NOTIFY_SOCKET names; without it nothing is said, and no failure to say something
//     is the caller's trouble.
//   - Metrics are those of the process since it began, in Prometheus' text form. Labels
//     are exit statuses, numbers of rules, and fixed words: no user, no mailbox, no
//     address, so that the number of series has a bound (TestSeries).
//   - Listen takes loopback addresses alone, as numbers or "localhost": who may read them
//     is whoever may run programs on this machine.
//   - A client of the address holds one of MaxClients connections for ClientTime at most,
//     whatever it does, and sends MaxHeader bytes; the rest is refused. What the address
//     costs is so bounded, and runs do not wait for it.
package serve
