// Package config is what the program can be told besides its options: settings of
// the configuration file, and "-o KEY=VALUE".
//
// # Contract
//
//   - Settings() is the one table of them: reading, checking, "dsync config", the
//     commented sample and the manual page are made of it. A new setting is a new
//     row, and a constant for its key.
//   - The file is TOML. A key or table that the table does not have, a value of the
//     wrong type, and one that its check refuses are errors with file, line and
//     column (*tomlfile.Error). Dovecot's form, key = value without quotes, is no
//     TOML, and Dovecot's files have settings that dsync does not: reading both forms
//     would mean to guess, so such a line is an error that says how it is written.
//   - -o beats the file; of two equal keys in -o the later one counts. On -o (only
//     there: real scripts have them) Dovecot's other settings are taken and reported
//     as Ignored; one that is a slip away from ours is an error, for it would be
//     ignored in silence.
//   - Values are kept as text, lists as several. What a check cannot know, as the home
//     of a user, is found out by whoever uses the value, and reported with Blame.
package config
