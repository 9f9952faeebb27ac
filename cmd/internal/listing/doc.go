// Package listing lists a store canonically and compares two.
//
// # Contract
//
//   - Nothing is locked, made or changed; any store.Store will do.
//   - INBOX first, then mailboxes by store.CompareNames; messages by UID. Times
//     are RFC 3339 in UTC, size is RFC822.SIZE (a bare LF counts as CRLF), flags
//     and keywords are sorted bytewise. Two equal accounts give equal texts.
//   - A message that has no UID yet is shown under the one that it would get:
//     from UIDNEXT on, in order of GUID; UIDNEXT is shown above it.
//   - A mailbox without identity has a null guid or uidvalidity; one that holds no
//     mail (\Noselect) a null uidnext as well.
//   - JSON is UTF-8: bytes of a GUID that are not are shown as U+FFFD. Compare
//     compares bytes.
//   - At most one mailbox of each side is in memory, without bodies.
package listing
