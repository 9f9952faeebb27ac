// Package listen lets near ends in over the network: it takes connections, finds out
// who is there, and hands over a link to one that is known, with what it may touch.
// It also makes the near end's side of the same: TLS, and the secret.
//
// # Contract
//
//   - Who is there is shown by a certificate that a given authority signed, by a
//     secret that both ends read from a file, or by both where both are configured.
//     Without either nothing is listened to. Secrets never stand in an argument, a
//     setting, a message or a raw log; a file of secrets that others may read is refused.
//   - Until then a peer is held to wire's least limits and to Admission; over TLS the
//     handshake counts, for which crypto/tls takes up to 256 KiB of certificates. At most
//     MaxStrangers are so at once: when there are more, the oldest of the address that has
//     most gives way, so that one host does not keep others out.
//   - A guest may touch the accounts that its Rules name, and no other; whether another
//     exists is not told.
//   - Plain tcp neither hides nor protects what goes over, whoever is let in: it is
//     refused outside of loopback, at both ends, unless a setting allows it.
//   - A connection's trouble, and a panic in its goroutine, is its own. Run ends when
//     its context does: connections under way are told, and waited for.
//   - Policy is asked for each connection, so that certificates, secrets and rules may be
//     replaced while others are under way.
package listen
