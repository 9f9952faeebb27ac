// Package userdb asks user databases who the users are: where their mail lies, and
// as whom their files are touched.
//
// # Contract
//
//   - A Database answers Lookup for one name, and Names for all that fit a mask ("*"
//     any text, "?" one character; "" is all). SQL and LDAP fit it: a lookup is one
//     question, a mask can be made part of one, and both may be cancelled.
//   - A name that a database does not have is ErrUnknown. An entry that is there and
//     cannot be used is an *EntryError that names file and line: it is that user's
//     trouble alone. Everything else is trouble of the database as a whole.
//   - A name that could leave a directory (location.CheckUser) is never looked up and
//     never listed. Home is absolute. A UID or GID of 0 is not said, unless Passwd lets root count.
//   - Lists asks several databases in their order: the first that has the name
//     answers. A template completes what the answer leaves open; it has no list of
//     users, so that as the only database it has every name, and after others it has
//     none of its own.
//   - Files are read once, when a database is opened, as text, never through the C
//     library: lines beyond MaxLine and files beyond MaxFile or MaxUsers are refused.
//
// # Forms
//
// Passwd is /etc/passwd's: name:password:uid:gid:gecos:home:shell. Of it only uids
// from First to Last count; entries of NIS ("+…", "-…") are left out.
//
// PasswdFile is Dovecot's: the same fields, each of which may be empty or missing,
// then :extra fields, separated by spaces. Of these "userdb_KEY=VALUE" is KEY of the
// user; others belong to logging in. uid and gid may be names of the system's. Where
// the field of extra fields is empty, what follows it is a mail location, as in old
// files. Lines that are empty or begin with "#" or ":" say nothing. Of two lines for
// one name the first counts.
package userdb
