// Package scenario is the language in which histories of mail accounts are
// written: replicas, a common past, what clients do, runs and what befalls them,
// and what is to come of it. LANGUAGE.md is its manual.
//
// # Contract
//
//   - A File is a list of Scenarios, a Scenario a header and a list of Steps. All
//     of it is data: nothing here runs anything (that is fuzz/engine and fuzz/lab).
//   - Parse reads the text, Print writes it in its one canonical form:
//     Parse(Print(f)) gives f, and Print(Parse(text)) gives text that is canonical
//     and has no comments. ParseJSON and JSON do the same for JSON.
//   - Every error names file, line and column (Error). No bytes make the package
//     panic, and limits bound what it takes.
//   - A Step is total: one that does not apply (a message that is not there) does
//     nothing, so that a history shrinks by leaving steps out.
//   - Rewrite changes nothing of a text but the expectations it is given.
package scenario
