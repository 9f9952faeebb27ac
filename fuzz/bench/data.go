package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"dsync/fuzz/genmail"
	"dsync/fuzz/mutate"
)

// averageSize is the mean message size of all data.
const averageSize = 4096

// dataset is one account as genmail makes it.
type dataset struct {
	Name      string `json:"name"` // small, large, many
	Messages  int    `json:"messages_per_mailbox"`
	Mailboxes int    `json:"mailboxes"`
	Seed      int    `json:"seed"`
	Users     int    `json:"users,omitempty"` // so many accounts like it, by seed; 0: one
}

// title is the dataset in words.
func (d dataset) title() string {
	if d.Users > 0 {
		return thousands(d.Users) + " users × " + thousands(d.Messages)
	}
	if d.Mailboxes == 1 {
		return thousands(d.Messages) + " messages"
	}
	return thousands(d.Mailboxes) + " mailboxes × " + thousands(d.Messages)
}

func (d dataset) total() int { return d.Messages * d.Mailboxes }

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// internal is the first argument by which this program calls itself to make
// data in a process of its own.
const internal = "-internal"

// internals are those commands, with the number of words and of numbers that follow.
var internals = map[string]struct {
	words, numbers int
	run            func(w []string, n []int) error
}{
	"genmail": {1, 3, func(w []string, n []int) error {
		return genmail.Generate(genmail.Options{Root: w[0], Messages: n[0], Mailboxes: n[1], Seed: int64(n[2]), Average: averageSize})
	}},
	"mutate": {1, 2, func(w []string, n []int) error {
		return mutate.Mutate(mutate.Options{Maildir: w[0], Flag: n[0], New: n[0], Delete: n[0], Seed: int64(n[1])})
	}},
	"users": {1, 3, func(w []string, n []int) error { return makeUsers(w[0], n[0], n[1], n[2]) }},
	"pass":  {2, 4, func(w []string, n []int) error { return passOver(w[0], w[1], n[0], n[1], n[2], n[3] != 0, os.Stdout) }},
	"fill":  {2, 3, func(w []string, n []int) error { return fill(w[0], w[1], n[0], n[1], n[2]) }},
}

// runInternal makes or measures data if that is what the arguments ask for.
func runInternal(args []string) (ran bool, code int) {
	if len(args) < 1 || args[0] != internal {
		return false, 0
	}
	if len(args) < 2 {
		return true, 64
	}
	cmd, ok := internals[args[1]]
	if rest := args[2:]; !ok || len(rest) != cmd.words+cmd.numbers {
		return true, 64
	}
	words := args[2 : 2+cmd.words]
	var numbers []int
	for _, a := range args[2+cmd.words:] {
		n, err := strconv.Atoi(a)
		if err != nil {
			return true, 64
		}
		numbers = append(numbers, n)
	}
	if err := cmd.run(words, numbers); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return true, 1
	}
	return true, 0
}

// callSelf runs an internal command.
func callSelf(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	return runQuietly(exec.CommandContext(ctx, self, append([]string{internal}, args...)...))
}

func runQuietly(cmd *exec.Cmd) error {
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, output)
	}
	return nil
}

// generate makes the dataset at root.
func (d dataset) generate(ctx context.Context, root string) error {
	return callSelf(ctx, "genmail", root, strconv.Itoa(d.Messages), strconv.Itoa(d.Mailboxes), strconv.Itoa(d.Seed))
}

// change mutates INBOX of the side at root.
func change(ctx context.Context, root string, changes, seed int) error {
	return callSelf(ctx, "mutate", root, strconv.Itoa(changes), strconv.Itoa(seed))
}

// copyTree copies a tree with dates and modes.
func copyTree(ctx context.Context, from, to string) error {
	return runQuietly(exec.CommandContext(ctx, "cp", "-a", from, to))
}

// fingerprint tells accounts apart: the number of messages, and a sum over
// mailbox name, size, flags and received date of each, in any order.
type fingerprint struct {
	Messages int
	Sum      uint64
}

// fingerprintOf reads a Maildir++ tree, in which each file is known to have
// grown by some bytes. It reads names in portions, so that this program stays
// small.
func fingerprintOf(root string, growth int64) (fingerprint, error) {
	var f fingerprint
	entries, err := os.ReadDir(root)
	if err != nil {
		return f, fmt.Errorf("check result: %w", err)
	}
	if err := f.addMailbox(root, "", growth); err != nil {
		return f, err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") {
			if err := f.addMailbox(filepath.Join(root, e.Name()), e.Name(), growth); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

func (f *fingerprint) addMailbox(dir, name string, growth int64) error {
	for _, sub := range []string{"cur", "new"} {
		if err := f.addFiles(filepath.Join(dir, sub), name, growth); err != nil {
			return fmt.Errorf("check result: %w", err)
		}
	}
	return nil
}

func (f *fingerprint) addFiles(dir, mailbox string, growth int64) error {
	d, err := os.Open(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(512)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, n := range names {
			if strings.HasPrefix(n, ".") {
				continue
			}
			info, err := os.Lstat(filepath.Join(dir, n))
			if err != nil {
				return err
			}
			_, flags, _ := strings.Cut(n, ":2,")
			h := fnv.New64a()
			fmt.Fprintf(h, "%s\x00%s\x00%d\x00%d", mailbox, flags, info.Size()-growth, info.ModTime().Unix())
			f.Sum += h.Sum64()
			f.Messages++
		}
	}
}
