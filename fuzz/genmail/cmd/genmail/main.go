// Command genmail writes a Maildir++ tree of made-up mail.
//
//	genmail ROOT MESSAGES MAILBOXES SEED AVGSIZE
//
// The arguments are those of tools/genmail.py; see dsync/fuzz/genmail.
package main

import (
	"fmt"
	"os"
	"strconv"

	"dsync/fuzz/genmail"
)

const usage = "usage: genmail ROOT MESSAGES MAILBOXES SEED AVGSIZE"

func main() {
	options, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	if err := genmail.Generate(options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse(args []string) (genmail.Options, error) {
	if len(args) != 5 {
		return genmail.Options{}, fmt.Errorf("%s", usage)
	}
	var n [4]int64
	for i, arg := range args[1:] {
		v, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return genmail.Options{}, fmt.Errorf("%s\ngenmail: %q is not a number", usage, arg)
		}
		n[i] = v
	}
	return genmail.Options{Root: args[0], Messages: int(n[0]), Mailboxes: int(n[1]), Seed: n[2], Average: int(n[3])}, nil
}
