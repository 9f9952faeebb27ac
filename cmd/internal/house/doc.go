// Package house holds no code: its tests keep the order of the house.
//
// # What they check
//
//   - the top level of the repository, and who imports whom (architecture.md §2);
//   - that store, changelog and merge (their roots) are pure: no clock, disk,
//     socket, goroutine, lock or global random, and no result that hangs on the
//     order of a map. A range over a map is taken for harmless if its body only
//     fills maps, sums, deletes or answers with a constant, if the function sorts
//     afterwards, or if a comment on the line or above it says "any order";
//   - a package comment for each package and a comment for each exported name;
//   - files of at most 500 lines and functions of at most 90, tests excepted;
//   - no mark of unfinished work.
//
// What cannot be seen from the syntax tree and from types declared in this module
// is not checked.
package house
