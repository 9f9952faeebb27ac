// Package memfs is a file system in memory that can crash and fail.
//
// # Contract
//
//   - What was not synced may be lost at a crash: a file's bytes and dates until
//     its Sync, a change of a directory until the Sync of one of the directories
//     that it touches; SyncFS is both for all.
//   - Changes of directories survive or not, each for itself, at random from a
//     seed; but one that builds on another (same directory and name) only with it,
//     and a rename wholly or not at all.
//   - Arm makes the n-th change from now stop the machine or fail. After a stop
//     nothing works until Reboot.
//
// It knows neither links between names nor permissions; listings are sorted.
package memfs

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"dsync/store/maildir/internal/fsys"
)

// ErrCrashed is what everything says between a crash and the reboot.
var ErrCrashed = errors.New("memfs: the machine has stopped")

// FS is the machine's disk.
type FS struct {
	mu    sync.Mutex
	nodes map[uint64]*node
	last  uint64
	ops   []op // changes of directories that are not durable
	root  uint64
	tick  int64

	Writes int // changes so far
	// Hook is called before each change, without a lock held; may be nil.
	Hook   func()
	stopAt int
	fault  error // nil: stop
	down   bool
	boots  int
	locks  map[uint64]int
}

type node struct {
	dir     bool
	live    map[string]uint64 // of a directory
	durable map[string]uint64
	data    []byte
	mtime   int64
	ctime   int64
	mode    uint32
	synced  []byte // of a file: as of its last sync
	smtime  int64
}

// set changes one name: old and new are nodes, 0 none.
type set struct {
	dir  uint64
	name string
	node uint64
}

type op []set

// New makes an empty disk.
func New() *FS {
	f := &FS{nodes: map[uint64]*node{}, locks: map[uint64]int{}, tick: time.Now().Add(-time.Hour).UnixNano()}
	f.root = f.newNode(true, 0o700)
	return f
}

func (f *FS) newNode(dir bool, mode uint32) uint64 {
	f.last++
	n := &node{dir: dir, mode: mode, mtime: f.now()}
	n.ctime = n.mtime
	if dir {
		n.live, n.durable = map[string]uint64{}, map[string]uint64{}
	}
	f.nodes[f.last] = n
	return f.last
}

func (f *FS) now() int64 { f.tick += int64(50 * time.Millisecond); return f.tick }

// Arm makes the n-th change from now (1 is the next) fail with err, or stop the
// machine if err is nil.
func (f *FS) Arm(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopAt, f.fault = f.Writes+n, err
}

// Clone copies the disk as it is, with what is not durable, for a Reboot of the
// copy. Nothing is locked in it, and no hook or fault is armed.
func (f *FS) Clone() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &FS{nodes: make(map[uint64]*node, len(f.nodes)), last: f.last, root: f.root, tick: f.tick, Writes: f.Writes, boots: f.boots,
		locks: map[uint64]int{}}
	for _, o := range f.ops {
		c.ops = append(c.ops, slices.Clone(o))
	}
	for id, n := range f.nodes {
		m := *n
		m.live, m.durable = maps.Clone(n.live), maps.Clone(n.durable)
		m.data, m.synced = slices.Clone(n.data), slices.Clone(n.synced)
		c.nodes[id] = &m
	}
	return c
}

// Now is the disk's clock, which goes on with every look and change.
func (f *FS) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Unix(0, f.now())
}

// Down reports whether the machine has stopped.
func (f *FS) Down() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.down }

// step counts a change and makes it fail if it is its turn. f.mu is held.
func (f *FS) step() error {
	if h := f.Hook; h != nil {
		f.mu.Unlock()
		h()
		f.mu.Lock()
	}
	if f.down {
		return ErrCrashed
	}
	f.Writes++
	if f.Writes != f.stopAt {
		return nil
	}
	if f.fault != nil {
		return f.fault
	}
	f.down = true
	return ErrCrashed
}

// Reboot loses what was not durable, by the seed.
func (f *FS) Reboot(seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := rand.New(rand.NewPCG(seed, 7))
	lost := map[string]bool{}
	key := func(s set) string { return string(rune(s.dir)) + "/" + s.name }
	for _, o := range f.ops {
		keep := r.IntN(2) == 0
		for _, s := range o {
			keep = keep && !lost[key(s)]
		}
		for _, s := range o {
			if !keep {
				lost[key(s)] = true
				continue
			}
			f.commit(s)
		}
	}
	f.ops = nil
	for _, id := range f.ids() {
		n := f.nodes[id]
		if n.dir {
			n.live = map[string]uint64{}
			for name, c := range n.durable {
				n.live[name] = c
			}
			continue
		}
		if r.IntN(2) == 0 {
			n.mtime = n.smtime
		}
		switch r.IntN(3) {
		case 0:
			n.data = slices.Clone(n.synced)
		case 1:
			if len(n.data) > len(n.synced) {
				n.data = n.data[:len(n.synced)+r.IntN(len(n.data)-len(n.synced)+1)]
			}
		}
		n.synced, n.smtime = slices.Clone(n.data), n.mtime
	}
	f.down, f.stopAt = false, 0
	f.boots++
	clear(f.locks)
}

func (f *FS) ids() []uint64 {
	var ids []uint64
	for id := range f.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (f *FS) commit(s set) {
	if s.node == 0 {
		delete(f.nodes[s.dir].durable, s.name)
	} else {
		f.nodes[s.dir].durable[s.name] = s.node
	}
}

// apply makes a change of directories visible.
func (f *FS) apply(o op) {
	t := f.now()
	for _, s := range o {
		d := f.nodes[s.dir]
		if s.node == 0 {
			delete(d.live, s.name)
		} else {
			d.live[s.name] = s.node
			f.nodes[s.node].ctime = t
		}
		d.mtime, d.ctime = t, t
	}
	f.ops = append(f.ops, o)
}

// syncDir makes durable what touches a directory, and what that builds on.
func (f *FS) syncDir(id uint64) {
	need := make([]bool, len(f.ops))
	keys := map[set]bool{}
	for i := len(f.ops) - 1; i >= 0; i-- {
		for _, s := range f.ops[i] {
			need[i] = need[i] || s.dir == id || keys[set{dir: s.dir, name: s.name}]
		}
		if need[i] {
			for _, s := range f.ops[i] {
				keys[set{dir: s.dir, name: s.name}] = true
			}
		}
	}
	var rest []op
	for i, o := range f.ops {
		if !need[i] {
			rest = append(rest, o)
			continue
		}
		for _, s := range o {
			f.commit(s)
		}
	}
	f.ops = rest
}

func (f *FS) walk(from uint64, path string) (uint64, error) {
	if f.down {
		return 0, ErrCrashed
	}
	id := from
	for level := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if level == "" || level == "." {
			continue
		}
		n := f.nodes[id]
		if !n.dir {
			return 0, syscall.ENOTDIR
		}
		next, ok := n.live[level]
		if !ok {
			return 0, syscall.ENOENT
		}
		id = next
	}
	return id, nil
}

// OpenRoot opens a directory by its path.
func (f *FS) OpenRoot(path string) (fsys.Dir, error) {
	return (&dir{f: f, id: f.root}).OpenDir(path)
}

// MkdirAll makes directories; they are durable at once.
func (f *FS) MkdirAll(path string, mode uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := f.root
	for level := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		next, ok := f.nodes[id].live[level]
		if !ok {
			next = f.newNode(true, mode)
			f.nodes[id].live[level], f.nodes[id].durable[level] = next, next
		}
		id = next
	}
	return nil
}
