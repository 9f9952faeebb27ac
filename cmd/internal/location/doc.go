// Package location reads where an account is: "maildir:PATH" with Dovecot's
// keys, the one-word destinations of doveadm, and what lies in a home directory.
//
// # Contract
//
//   - Parse works on text alone. The text is cut at its colons first ("::" stands
//     for one colon, as in Dovecot) and each piece is expanded on its own: a user
//     name with a colon cannot bring in a key.
//   - Expanded are %u %n %d %h %% (also %{user} %{username} %{domain} %{home},
//     and the modifiers L and U), and "~" or "~/" at the start of a path.
//   - A user name that could leave a directory ("..", "/", control characters) is
//     refused with ErrNoUser.
//   - What is known but not built into the program is an error of type *Missing.
//   - Nothing is made or changed; only Destination and Detect look at the disk.
package location
