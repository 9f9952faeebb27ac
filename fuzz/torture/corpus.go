package torture

import (
	"bytes"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// SharedEnv names the environment variable for the shared directory.
const SharedEnv = "DSYNC_SHARED"

// Shared finds the shared directory: $DSYNC_SHARED, or ../shared beside the
// module's root. ok is false where there is none.
func Shared() (dir string, ok bool) {
	dir = os.Getenv(SharedEnv)
	if dir == "" {
		root, found := moduleRoot()
		if !found {
			return "", false
		}
		dir = filepath.Join(root, "..", "shared")
	}
	info, err := os.Stat(dir)
	return dir, err == nil && info.IsDir()
}

// CorporaDir is the corpora inside the shared directory.
func CorporaDir() (dir string, ok bool) {
	shared, ok := Shared()
	if !ok {
		return "", false
	}
	dir = filepath.Join(shared, "corpora")
	info, err := os.Stat(dir)
	return dir, err == nil && info.IsDir()
}

// moduleRoot goes up from the working directory to go.mod.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", false
}

// Corpus reads every message below dir in place, in order of paths: a file
// ending in .mbox gives each message it holds (name "path#number", from 1),
// every other file is one message; README.md at the top is none. Names are
// relative to dir. The first error ends the sequence.
func Corpus(dir string) iter.Seq2[Mail, error] {
	return func(yield func(Mail, error) bool) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || path == filepath.Join(dir, "README.md") {
				return err
			}
			return yieldFile(dir, path, yield)
		})
		if err != nil && err != fs.SkipAll {
			yield(Mail{}, fmt.Errorf("torture: read corpus: %w", err))
		}
	}
}

func yieldFile(dir, path string, yield func(Mail, error) bool) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(name, ".mbox") {
		if !yield(Mail{Name: name, Data: data}, nil) {
			return fs.SkipAll
		}
		return nil
	}
	for i, message := range SplitMbox(data) {
		if !yield(Mail{Name: fmt.Sprintf("%s#%d", name, i+1), Data: message}, nil) {
			return fs.SkipAll
		}
	}
	return nil
}

// SplitMbox cuts an mbox at its From lines: lines that begin with "From " at
// the start of the file or after an empty line. A message is what lies
// between, without the empty line that precedes the next From line. What
// stands before the first From line is dropped.
func SplitMbox(data []byte) [][]byte {
	var out [][]byte
	start := -1 // of the current message
	empty := true
	for at := 0; at < len(data); {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := data[at:end]
		if empty && bytes.HasPrefix(line, []byte("From ")) {
			if start >= 0 {
				out = append(out, withoutLastEmpty(data[start:at]))
			}
			start = end
		}
		empty = len(bytes.TrimRight(line, "\r\n")) == 0
		at = end
	}
	if start >= 0 {
		out = append(out, withoutLastEmpty(data[start:]))
	}
	return out
}

// withoutLastEmpty takes one empty line off the end.
func withoutLastEmpty(message []byte) []byte {
	for _, ending := range []string{"\r\n", "\n"} {
		if rest, ok := bytes.CutSuffix(message, []byte(ending)); ok {
			if len(rest) == 0 || rest[len(rest)-1] == '\n' {
				return rest
			}
			return message
		}
	}
	return message
}
