// Command mutate changes a Maildir mailbox on disk.
//
//	mutate MAILDIR NFLAG NNEW NDEL SEED
//
// The arguments are those of tools/mutate.py; see dsync/fuzz/mutate.
package main

import (
	"fmt"
	"os"
	"strconv"

	"dsync/fuzz/mutate"
)

const usage = "usage: mutate MAILDIR NFLAG NNEW NDEL SEED"

func main() {
	options, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	if err := mutate.Mutate(options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse(args []string) (mutate.Options, error) {
	if len(args) != 5 {
		return mutate.Options{}, fmt.Errorf("%s", usage)
	}
	var n [4]int64
	for i, arg := range args[1:] {
		v, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return mutate.Options{}, fmt.Errorf("%s\nmutate: %q is not a number", usage, arg)
		}
		n[i] = v
	}
	return mutate.Options{Maildir: args[0], Flag: int(n[0]), New: int(n[1]), Delete: int(n[2]), Seed: n[3]}, nil
}
