// Package genmail writes Maildir++ trees of made-up mail: always the same
// tree for the same arguments, and the same tree that tools/genmail.py of the
// shared directory writes (names, contents, modes, modification times of
// files), so that figures measured with either can be compared.
//
// # The tree
//
//	ROOT/cur, new, tmp             INBOX
//	ROOT/.M0001/cur, new, tmp      second mailbox, and so on
//	ROOT/.M0001/maildirfolder      empty, dated 1700000000
//
// All messages lie in cur, named
//
//	SECONDS.MnnnnnnP1.genTAG,S=SIZE,W=CRLFSIZE:2,FLAGS
//
// with flags S (60 %), RS (10 %), FS (5 %) or none; mode 0600; modification
// time = SECONDS = 1700000000 + 61 × number. Sizes are log-normal
// (sigma 0.7) about the mean given, between 400 bytes and 256 KiB.
//
// # What is promised
//
// Generate does not care whether files are there already: it writes over
// them. Files are written by several goroutines; everything random is drawn
// by one, in order. Nothing is synced to disk.
package genmail

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Options are the arguments of genmail.py.
type Options struct {
	Root      string // Maildir root to create; INBOX is the root itself
	Messages  int    // per mailbox
	Mailboxes int    // 1 = INBOX only; n > 1 = INBOX and .M0001 …
	Seed      int64
	Average   int // mean message size in bytes, positive
}

// job is one file to write.
type job struct {
	directory string // cur
	number    int
	tag       string
	flags     string
	message   Message
}

// queueLength is how far drawing may run ahead of writing.
const queueLength = 1024

// Generate writes the tree.
func Generate(o Options) error {
	if o.Average <= 0 || o.Messages < 0 {
		return fmt.Errorf("genmail: bad arguments: %+v", o)
	}
	w := newWriters(2 * runtime.GOMAXPROCS(0))
	r := NewRandom(o.Seed)
	err := writeMailbox(w, r, o.Root, "inbox", o)
	for k := 1; k < o.Mailboxes && err == nil; k++ {
		path := filepath.Join(o.Root, fmt.Sprintf(".M%04d", k))
		if err = writeMailbox(w, r, path, fmt.Sprintf("m%04d", k), o); err == nil {
			err = markFolder(path)
		}
	}
	if writeErr := w.wait(); err == nil {
		err = writeErr
	}
	if err != nil {
		return fmt.Errorf("genmail: %w", err)
	}
	return nil
}

// writeMailbox makes the directories and hands the messages to the writers.
func writeMailbox(w *writers, r *Random, path, tag string, o Options) error {
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(path, d), 0o777); err != nil {
			return err
		}
	}
	for i := range o.Messages {
		j := job{directory: filepath.Join(path, "cur"), number: i, tag: tag, message: Draw(r, i, tag, o.Average)}
		j.flags = flagsFor(r.Float())
		w.queue <- j
	}
	return nil
}

func flagsFor(x float64) string {
	switch {
	case x < .6:
		return "S"
	case x < .7:
		return "RS"
	case x < .75:
		return "FS"
	}
	return ""
}

// markFolder writes the file by which Maildir++ tells a mailbox from the root.
func markFolder(path string) error {
	name := filepath.Join(path, "maildirfolder")
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		return err
	}
	return os.Chtimes(name, time.Unix(firstDate, 0), time.Unix(firstDate, 0))
}

// writers write jobs until the first error, which wait returns.
type writers struct {
	queue chan job
	group sync.WaitGroup
	once  sync.Once
	err   error
}

func newWriters(n int) *writers {
	w := &writers{queue: make(chan job, queueLength)}
	for range n {
		w.group.Go(w.run)
	}
	return w
}

func (w *writers) run() {
	var buf []byte
	failed := false
	for j := range w.queue {
		if failed { // drain, so that the producer never blocks
			continue
		}
		buf = j.message.Append(buf[:0])
		if err := j.write(buf); err != nil {
			failed = true
			w.once.Do(func() { w.err = err })
		}
	}
}

func (w *writers) wait() error {
	close(w.queue)
	w.group.Wait()
	return w.err
}

func (j job) write(data []byte) error {
	name := fmt.Sprintf("%d.M%06dP1.gen%s,%s:2,%s", j.message.Received, j.number, j.tag, Sizes(data), j.flags)
	path := filepath.Join(j.directory, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	date := time.Unix(j.message.Received, 0)
	return os.Chtimes(path, date, date)
}
