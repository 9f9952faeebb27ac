package engine

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// What a store cannot show is named at each run, also where nothing changes and
// nothing is listed for another reason.
func TestSkippedAtEachRun(t *testing.T) {
	for what, spoil := range map[string]func(dir string) error{
		"a fifo among the messages": func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "cur", "1.fifo"), 0o600) },
		"a mailbox with no name":    func(dir string) error { return os.MkdirAll(filepath.Join(dir, ".a&b", "cur"), 0o700) },
	} {
		p := newPair(t)
		p.deliver("A", "", "1700000001.M1.h", "")
		p.deliver("A", ".work", "1700000002.M2.h", "")
		p.must(spoil(filepath.Join(p.dir, "A")))
		for i := range 4 {
			rep := p.any(nil)
			if rep.Exit != ExitData || len(rep.Skipped) != 1 || rep.Err != nil {
				t.Errorf("%s, run %d: exit %d, %v, skipped %v; want 65 and the one item", what, i, rep.Exit, rep.Err, rep.Skipped)
			}
			time.Sleep(30 * time.Millisecond) // so that no look is racy
		}
	}
}
