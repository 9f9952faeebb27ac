// Package choose says which mailboxes a command is about: names (-m), masks (-x)
// and special uses (\Sent) as people write them.
//
// # Contract
//
//   - Every function is pure.
//   - "*" stands for any text, "?" for one character, both across levels; nothing
//     else is special. Matching takes time proportional to mask times name.
//   - INBOX may be written in any case.
//   - Where no name can hold a "." (Maildir++), "." is taken for "/" as well.
package choose
