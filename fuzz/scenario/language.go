package scenario

import _ "embed" // for LANGUAGE.md

// Language is the manual of the language.
//
//go:embed LANGUAGE.md
var Language string
