package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// traced are the system calls counted, as columns; spellings of one kind
// count together.
var traced = []struct {
	column string
	calls  []string
}{
	{"fsync", []string{"fsync"}},
	{"fdatasync", []string{"fdatasync"}},
	{"syncfs, sync", []string{"syncfs", "sync"}},
	{"rename*", []string{"rename", "renameat", "renameat2"}},
	{"link*", []string{"link", "linkat"}},
}

// underStrace makes the command run under strace, which writes to file.
func underStrace(cmd *exec.Cmd, file string) error {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return err
	}
	var calls []string
	for _, t := range traced {
		calls = append(calls, t.calls...)
	}
	// "?" lets strace pass over calls that the architecture does not have.
	args := []string{strace, "-f", "-qq", "-o", file, "-e", "trace=?" + strings.Join(calls, ",?"), "--"}
	cmd.Args = append(args, cmd.Args...)
	if cmd.Args[len(args)] != cmd.Path && strings.Contains(cmd.Path, "/") {
		cmd.Args[len(args)] = cmd.Path
	}
	cmd.Path = strace
	return nil
}

// countCalls reads strace's output; calls that failed count too.
func countCalls(r io.Reader) (map[string]int, error) {
	counts := map[string]int{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		if _, after, ok := strings.Cut(text, " "); ok && strings.Trim(text[:len(text)-len(after)-1], "0123456789") == "" {
			text = strings.TrimLeft(after, " ") // the process id
		}
		name, _, called := strings.Cut(text, "(")
		if !called || strings.HasPrefix(text, "<...") {
			continue // the second half of an interrupted call, a signal, an exit
		}
		for _, t := range traced {
			for _, c := range t.calls {
				if c == name {
					counts[t.column]++
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read strace output: %w", err)
	}
	return counts, nil
}

func countCallsIn(file string) (map[string]int, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return countCalls(f)
}
