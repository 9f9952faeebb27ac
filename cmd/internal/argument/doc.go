// Package argument reads the values of options: dates and ages (-t -e --since),
// sizes (-I), seconds (-l -T), flags (-O), the safety brake (--max-delete) and
// state strings (-s).
//
// # Contract
//
//   - Every function is pure: the time of day is handed in, and its zone is the
//     zone of dates that name none.
//   - An error names what was given and what would be right, and has no option's
//     name in it: the caller knows that.
//   - Numbers that do not fit are errors, never cut or wrapped.
package argument
