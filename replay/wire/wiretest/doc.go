// Package wiretest makes streams for tests of what goes over package wire: a pair with
// the delay, bandwidth and cuts of a link, and a cut put before any stream.
//
// # Contract
//
//   - Time is package time's: in a bubble of testing/synctest it is virtual, so that a
//     link of 100 ms costs nothing and round trips can be counted exactly.
//   - A link keeps order, and as many bytes under way as Link.Buffer; then Write waits,
//     as on a socket.
//   - A cut passes every byte before it and none after: what is cut in the middle of
//     a Write has been written in part. Both directions are cut at once; what was
//     under way the other way is lost.
//   - No goroutine is started.
package wiretest
