package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/fuzz/genmail"
	"dsync/merge"
	"dsync/replay/session"
	"dsync/store"
	"dsync/store/maildir"
	"dsync/store/memory"
)

// A crowd is many small accounts, each with two Maildirs, whose logs are in one
// database: what the internal commands users, pass and fill make and measure, each in
// a process of its own.
//
//	ROOT/u00001/left, ROOT/u00001/right, …   the Maildirs
//	ROOT/LOG                                 a database

// pass is what one process did that went over a crowd.
type pass struct {
	Users   int           `json:"users"`
	Quiet   int           `json:"quiet"` // runs that had nothing to do
	Workers int           `json:"workers"`
	Open    time.Duration `json:"open_ns"` // the database
	Wall    time.Duration `json:"wall_ns"` // all users, after that
	CPU     time.Duration `json:"cpu_ns"`
	Gets    int64         `json:"gets"`  // point reads of the database
	Walks   int64         `json:"walks"` // iterators over it
	Logs    int           `json:"logs"`  // accounts in the database that were opened besides
	RSS     int64         `json:"rss_kib"`
}

func userName(i int) string { return fmt.Sprintf("u%05d", i) }

func userDir(root, side string, i int) string {
	return filepath.Join(root, userName(i), side)
}

// makeUsers makes the left sides, as the data of ../shared/reference/baseline.md.
func makeUsers(root string, count, each, seed int) error {
	for i := range count {
		err := genmail.Generate(genmail.Options{Root: userDir(root, "left", i), Messages: each, Mailboxes: 1, Seed: int64(seed + i), Average: averageSize})
		if err != nil {
			return err
		}
	}
	return nil
}

// syncUser is one run over one user, from opening the stores to closing them.
func syncUser(ctx context.Context, db *logdb.DB, root string, i int) (quiet bool, err error) {
	var st [2]store.Store
	for k, side := range []string{"left", "right"} {
		o := maildir.Options{Path: userDir(root, side, i)}
		s, err := maildir.Open(o)
		if errors.Is(err, store.ErrGone) && side == "right" {
			s, err = maildir.Create(o)
		}
		if err != nil {
			return false, err
		}
		defer s.Close()
		st[k] = s
	}
	res, err := session.Pair(ctx, db, st, session.PairOptions{Policy: merge.Safe, Now: func() int64 { return time.Now().UnixMicro() }, NewID: newID})
	if err != nil {
		return false, err
	}
	if !res.Outcome.Equal {
		return false, &wrongError{fmt.Sprintf("user %d: the two sides are not equal", i)}
	}
	return res.Outcome.Quiet && res.Looks[0].Events+res.Looks[1].Events == 0 && !res.Changed[0] && !res.Changed[1], nil
}

func newID() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) | 1
}

// each calls f with every number below n, in some goroutines; the first error ends it.
func each(n, workers int, f func(i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				if errs[w] = f(i); errs[w] != nil {
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// passOver goes over all users of a crowd, rounds times, and then reads of every log of
// the database what a run over it reads first, if all is set.
func passOver(root, log string, count, workers, rounds int, all bool, out io.Writer) error {
	start := time.Now()
	db, err := logdb.Open(filepath.Join(root, log), logdb.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	p := pass{Users: count * rounds, Workers: workers, Open: time.Since(start)}
	if file := os.Getenv("BENCH_CPUPROFILE"); file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var quiet atomic.Int64
	gets, walks := db.Reads()
	cpu := usedCPU()
	start = time.Now()
	for range rounds {
		err := each(count, workers, func(i int) error {
			q, err := syncUser(context.Background(), db, root, i)
			if q {
				quiet.Add(1)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	p.Wall, p.CPU, p.Quiet = time.Since(start), usedCPU()-cpu, int(quiet.Load())
	p.Gets, p.Walks = db.Reads()
	p.Gets, p.Walks = p.Gets-gets, p.Walks-walks
	if all {
		if p.Logs, err = readAll(db); err != nil {
			return err
		}
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	p.RSS = usage.Maxrss
	return json.NewEncoder(out).Encode(p)
}

// readAll opens every account of the database, one after the other.
func readAll(db *logdb.DB) (int, error) {
	list, err := db.Accounts()
	if err != nil {
		return 0, err
	}
	for _, in := range list {
		acc, err := db.Account(in.Replica.ID)
		if err != nil {
			return 0, err
		}
		if _, err := acc.LoadTree(); err != nil {
			return 0, err
		}
		if _, err := acc.Mailboxes(); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func usedCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fill adds logs to a database: each is written by a recorder that looks at a small
// account in memory, so that it holds what the log of a Maildir would.
func fill(root, log string, count, messages, seed int) error {
	db, err := logdb.Open(filepath.Join(root, log), logdb.Options{NoSync: true}) // whoever fills begins anew after a crash
	if err != nil {
		return err
	}
	defer db.Close()
	return each(count, runtime.GOMAXPROCS(0), func(i int) error { return fillOne(db, messages, seed+i) })
}

func fillOne(db *logdb.DB, messages, seed int) error {
	at := time.Unix(1_700_000_000+int64(seed), 0).UTC()
	st := memory.New(memory.Options{Name: fmt.Sprintf("/var/mail/of-a-user/u%07d/Maildir", seed), Seed: uint64(seed) + 1, Clock: func() time.Time { return at }})
	c := st.Client()
	for k := range messages {
		if _, err := c.Deliver(store.Inbox, fmt.Appendf(nil, "Subject: %d\r\n\r\n", k), store.Seen, nil, at); err != nil {
			return err
		}
	}
	rec, err := recorder.Open(context.Background(), db, st, recorder.Options{Now: func() int64 { return at.UnixMicro() }, NewID: newID})
	if err != nil {
		return err
	}
	_, err = rec.Scan(context.Background(), false)
	return err
}
