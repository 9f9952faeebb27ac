package live

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"dsync/changelog/logdb"
	"dsync/fuzz/pure"
	"dsync/replay/wire/wiretest"
)

var (
	seedFlag = flag.Int64("seed", 0, "repeat the one history of this seed")
	histFlag = flag.String("history", "", "try this history instead")
)

// histories is how many histories a test tries; DSYNC_HISTORIES multiplies it.
func histories(n int) int {
	if s, err := strconv.ParseFloat(os.Getenv("DSYNC_HISTORIES"), 64); err == nil && s > 0 {
		return max(int(float64(n)*s), 1)
	}
	if testing.Short() {
		return max(n/10, 1)
	}
	return n
}

var worlds atomic.Uint64

// logs are the change logs of worlds: most have a Disk of their own, every tenth
// uses one Pebble database, as others did before it.
type logs struct {
	db    *logdb.DB // in Pebble
	used  int
	alone bool // also in Pebble a log for each world
}

func (s *logs) get(seed uint64) (*logdb.DB, error) {
	if seed%10 != 0 {
		return logdb.Open("log", logdb.Options{Disk: new(logdb.Disk)})
	}
	if s.db != nil && s.used < 200 && !s.alone {
		s.used++
		return s.db, nil
	}
	if err := s.close(); err != nil {
		return nil, err
	}
	var err error
	s.db, err = logdb.Open("log", logdb.Options{FS: logdb.Memory()})
	s.used = 0
	return s.db, err
}

func (s *logs) close() error {
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	return db.Close()
}

// memKind is a kind of worlds in memory.
type memKind struct {
	kind    pure.Kind
	mode    Mode
	collide bool // several deliveries of one content
	late    bool // clients give no UIDs
	oldLogs bool // what is restored is mail, log or both
	apart   bool // the two ends of a run have frames alone between them
	wired   bool // and these go over the wire
}

func (k memKind) world(seed uint64, db *logdb.DB) *world {
	w := newWorld(seed, k.mode, db)
	w.apart = k.apart || k.wired
	if k.wired {
		w.link = &wiretest.Link{}
	}
	id := worlds.Add(1)
	for i := range k.kind.Replicas {
		w.add(newMemAccount(fmt.Sprintf("w%d-%d", id, i), seed*16+uint64(i)+1, w.Time, k.late))
	}
	return w
}

func (k memKind) generate(seed uint64) []Op {
	ops := k.kind.Generate(rand.New(rand.NewPCG(seed, 177)))
	if !k.collide {
		ops = unique(ops)
	}
	if k.oldLogs {
		ops = oldLogs(ops, rand.New(rand.NewPCG(seed, 178)))
	}
	return ops
}

// try runs a history with all its laws, with a panic as an error.
func try(w *world, ops []Op) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		w.close()
	}()
	for i, o := range ops {
		if err := w.run(o); err != nil {
			return fmt.Errorf("at %d, %v: %w", i, o, err)
		}
	}
	return w.converge()
}

func (k memKind) run(t *testing.T, n int) {
	t.Helper()
	log := &logs{}
	defer log.close()
	attempt := func(seed uint64) func([]Op) error {
		return func(ops []Op) error {
			db, err := log.get(seed)
			if err != nil {
				t.Fatal(err)
			}
			return try(k.world(seed, db), ops)
		}
	}
	if *histFlag != "" {
		if err := attempt(uint64(*seedFlag))(mustParse(*histFlag)); err != nil {
			t.Fatal(err)
		}
		return
	}
	from, to := uint64(1), uint64(histories(n))
	if *seedFlag != 0 {
		from, to = uint64(*seedFlag), uint64(*seedFlag)
	}
	for s := from; s <= to; s++ {
		ops := k.generate(s)
		if err := attempt(s)(ops); err != nil {
			log.alone = true
			small := shrink(ops, attempt(s))
			t.Fatalf("repeat with: go test ./fuzz/live -run '%s$' -seed %d\nhistory: %s\n%v\nfirst: %v", t.Name(), s, text(small), attempt(s)(small), err)
		}
	}
}

// E1: the laws hold in memory.
func TestMemory(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		name string
		k    memKind
		n    int
	}{
		{"two", memKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Fast}, 250},
		{"two-full", memKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Full}, 60},
		{"two-late", memKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, late: true}, 120},
		{"two-mixed", memKind{kind: pure.Kind{Replicas: 2, Ops: 16}, mode: Mixed}, 120},
		{"collide", memKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, collide: true}, 150},
		{"three", memKind{kind: pure.Kind{Replicas: 3, Ops: 18}, mode: Mixed}, 90},
		{"five", memKind{kind: pure.Kind{Replicas: 5, Ops: 24}, mode: Fast}, 30},
		{"tree", memKind{kind: pure.Kind{Replicas: 2, Ops: 14, Tree: true}, mode: Mixed}, 160},
		{"tree-four", memKind{kind: pure.Kind{Replicas: 4, Ops: 20, Tree: true}, mode: Mixed, collide: true}, 50},
		{"parts", memKind{kind: pure.Kind{Replicas: 2, Ops: 16, Parts: true}, mode: Mixed}, 100},
		{"parts-three", memKind{kind: pure.Kind{Replicas: 3, Ops: 20, Parts: true, Direct: true}, mode: Mixed}, 100},
		{"direct", memKind{kind: pure.Kind{Replicas: 2, Ops: 14, Direct: true}, mode: Fast}, 90},
		{"logs", memKind{kind: pure.Kind{Replicas: 3, Ops: 18, Logs: 1}, mode: Mixed}, 60},
		{"restored", memKind{kind: pure.Kind{Replicas: 3, Ops: 18, Logs: 2}, mode: Mixed}, 60},
		{"old-logs", memKind{kind: pure.Kind{Replicas: 2, Ops: 18, Logs: 2}, mode: Mixed, oldLogs: true}, 60},
		{"old-logs-three", memKind{kind: pure.Kind{Replicas: 3, Ops: 22, Logs: 2}, mode: Mixed, oldLogs: true}, 60},
		{"apart", memKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, apart: true}, 120},
		{"wired", memKind{kind: pure.Kind{Replicas: 2, Ops: 14}, mode: Mixed, wired: true}, 80},
		{"wired-direct", memKind{kind: pure.Kind{Replicas: 3, Ops: 18, Direct: true}, mode: Mixed, wired: true}, 40},
		{"apart-parts", memKind{kind: pure.Kind{Replicas: 3, Ops: 18, Parts: true, Direct: true}, mode: Mixed, apart: true}, 60},
		{"apart-logs", memKind{kind: pure.Kind{Replicas: 3, Ops: 18, Logs: 2}, mode: Mixed, oldLogs: true, apart: true}, 60},
	} {
		t.Run(k.name, func(t *testing.T) { k.k.run(t, k.n) })
	}
}
