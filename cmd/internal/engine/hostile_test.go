package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/cmd/internal/remote"
	"dsync/replay/session"
	"dsync/replay/wire"
	"dsync/replay/wire/wiretest"
	"dsync/store"
)

// Two honest ends, and between them one who may say what he likes to one of the two,
// the victim, above the wire: frames of the session, orders, accounts, bodies.

// said is a packet on its way.
type said struct {
	kind byte
	data []byte // as Link sends it: a hop, then the value
}

// liar changes what the victim hears.
type liar struct {
	rng    *rand.Rand
	victim int               // 0: the near end
	say    func(said) []said // in place of what was said
	body   func(io.ReadCloser) io.ReadCloser
	count  int
}

// hostileRun makes one run with a liar between the ends, and gives what each end came to.
func hostileRun(p *pair, l *liar, timeout time.Duration) (near *Report, far error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute) // a watch against hanging, not a measure
	defer cancel()
	a, b := wiretest.Link{}.Pipe()
	c, d := wiretest.Link{}.Pipe()
	toNear, toFar := wire.New(b, wire.Options{Timeout: timeout}), wire.New(c, wire.Options{Starter: true, Timeout: timeout})
	conns := [2]*wire.Conn{toNear, toFar}
	for i, to := range conns {
		from := conns[1-i]
		to.SetServe(func(ctx context.Context, id []byte) (io.ReadCloser, string, error) {
			r, key, err := from.Bodies().Open(ctx, id)
			if err == nil && l.victim == i && l.body != nil {
				r = l.body(r)
			}
			return r, key, err
		})
		go func() {
			for {
				kind, data, err := from.Receive(ctx)
				if err != nil {
					var told *wire.Error
					if errors.As(err, &told) {
						to.Fail(told.Code, told.Text)
					} else {
						to.Close(ctx)
					}
					return
				}
				out := []said{{kind, data}}
				if l.victim == i {
					l.count++
					out = l.say(out[0])
				}
				for _, s := range out {
					if to.Send(ctx, s.kind, s.data) != nil {
						return
					}
				}
			}
		}()
	}
	ended := make(chan error, 1)
	go func() {
		link := remote.New(d, "the near end", wire.Options{Timeout: timeout})
		err := Serve(ctx, link, func(context.Context, string) (Options, func(), error) {
			return Options{Far: p.loc("B"), ChangeLog: filepath.Join(p.dir, "logB")}, func() {}, nil
		})
		if err == nil {
			link.Close(ctx)
		}
		link.Fail(0, "")
		ended <- err
	}()
	near = Run(ctx, Options{Near: p.loc("A"), Far: "the far end", ChangeLog: filepath.Join(p.dir, "logA"), LockWait: time.Second,
		Connect: func(context.Context) (*remote.Link, error) {
			return remote.New(a, "the far end", wire.Options{Starter: true, Timeout: timeout}), nil
		}})
	toNear.Fail(0, "")
	toFar.Fail(0, "")
	far = <-ended
	if ctx.Err() != nil {
		p.t.Fatal("the run did not end")
	}
	return near, far
}

// honest is a run with nobody between.
func honest(p *pair) (*Report, error) {
	return hostileRun(p, &liar{victim: -1}, time.Minute)
}

// content lists what stands in a store: the bytes of each message, sorted.
func (p *pair) content(side string) (out []string) {
	p.must(filepath.WalkDir(filepath.Join(p.dir, side), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !slices.Contains([]string{"cur", "new"}, filepath.Base(filepath.Dir(path))) {
			return err
		}
		text, err := os.ReadFile(path)
		out = append(out, string(text))
		return err
	}))
	slices.Sort(out)
	return out
}

// outside lists all that stands beside the stores and the logs.
func (p *pair) outside() string {
	var out strings.Builder
	p.must(filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(p.dir, path)
		if top, _, _ := strings.Cut(rel, "/"); slices.Contains([]string{"A", "B", "logA", "logB"}, top) && rel == top || rel == "." {
			fmt.Fprintf(&out, "%s\n", rel)
			if rel != "." {
				return fs.SkipDir
			}
			return nil
		}
		in, err := e.Info()
		fmt.Fprintf(&out, "%s %v %d %v\n", rel, in.Mode(), in.Size(), in.ModTime())
		return err
	}))
	return out.String()
}

// hostilePair has mail and changes at both sides, synced once, and things beside the
// stores that a name with ".." would reach.
func hostilePair(t *testing.T) *pair {
	p := newPair(t)
	for i := range 4 {
		p.deliver("A", "", fmt.Sprintf("17000000%02d.M1.h", i), "")
		p.deliver("A", ".work", fmt.Sprintf("17000001%02d.M2.h", i), "F")
		p.deliver("B", ".home.deep", fmt.Sprintf("17000002%02d.M3.h", i), "S")
	}
	for _, d := range []string{"x", "cur", "etc"} {
		p.must(os.MkdirAll(filepath.Join(p.dir, d, "cur"), 0o700))
		p.must(os.WriteFile(filepath.Join(p.dir, d, "cur", "1700000900.M9.h:2,"), []byte("Subject: not mail\n\n"), 0o600))
	}
	if rep, err := honest(p); rep.Exit != ExitOK || err != nil {
		t.Fatalf("an honest run: %d %v %v", rep.Exit, rep.Err, err)
	}
	p.deliver("A", "", "1700000050.M5.h", "S")
	p.deliver("B", ".work", "1700000051.M6.h", "")
	p.deliver("B", ".new.one", "1700000052.M7.h", "")
	p.deliver("A", ".other", "1700000053.M8.h", "")
	p.flag("A", "", "1700000001.M1.h", "F")
	p.flag("B", ".work", "1700000102.M2.h", "RS")
	return p
}

// frame gives the frame of a packet; nil if it holds none.
func (s said) frame() *session.Frame {
	if s.kind != byte(remote.KindFrame) {
		return nil
	}
	f, err := session.Decode(s.data[1:])
	if err != nil {
		return nil
	}
	return f
}

func (s said) with(data []byte) said { return said{s.kind, append([]byte{s.data[0]}, data...)} }

// lie says something else than what was said once, at one packet of the run; whether
// it could be read as a deletion is not its business.
func (l *liar) lie(at int, how func(said) []said) *liar {
	l.say = func(s said) []said {
		if l.count-1 != at {
			return []said{s}
		}
		return how(s)
	}
	return l
}

// breaks are what no end of ours says: the victim gives up, or goes on as if nothing
// was said; no message goes.
var breaks = map[string]func(*liar, said) []said{
	"nothing":    func(*liar, said) []said { return nil },
	"twice":      func(_ *liar, s said) []said { return []said{s, s} },
	"empty":      func(_ *liar, s said) []said { return []said{{s.kind, nil}} },
	"cut short":  func(l *liar, s said) []said { return []said{{s.kind, s.data[:l.rng.IntN(len(s.data))]}} },
	"trailing":   func(_ *liar, s said) []said { return []said{{s.kind, append(slices.Clone(s.data), 0xc0)}} },
	"other kind": func(l *liar, s said) []said { return []said{{byte(l.rng.IntN(256)), s.data}} },
	"zeros":      func(l *liar, s said) []said { return []said{s.with(make([]byte, l.rng.IntN(1<<20)))} },
	"noise": func(l *liar, s said) []said {
		b := make([]byte, l.rng.IntN(4<<10))
		for i := range b {
			b[i] = byte(l.rng.Uint32())
		}
		return []said{s.with(b)}
	},
	"a long array": func(_ *liar, s said) []said {
		kind := byte(session.KindMore)
		return []said{{byte(remote.KindFrame), []byte{1, 0x92, kind, 0xdd, 0xff, 0xff, 0xff, 0xff}}, s}
	},
	"another frame": func(l *liar, s said) []said {
		f := &session.Frame{Kind: []session.Kind{session.KindReady, session.KindFed}[l.rng.IntN(2)]}
		return []said{{byte(remote.KindFrame), append([]byte{1}, f.Encode()...)}}
	},
	"a lock":     func(l *liar, s said) []said { return []said{lockSaid(session.Turn(1 + l.rng.IntN(4))), s} },
	"an order":   func(_ *liar, s said) []said { return []said{{byte(remote.KindOrder), []byte("\x01{}")}, s} },
	"an account": func(_ *liar, s said) []said { return []said{{byte(remote.KindAccount), []byte("\x01{}")}, s} },
	"a login":    func(_ *liar, s said) []said { return []said{{byte(remote.KindLogin), []byte("\x01{}")}, s} },
	"deep":       func(_ *liar, s said) []said { return []said{s.with([]byte(strings.Repeat("[", 1<<20)))} },
	"many nothing": func(_ *liar, s said) []said {
		return []said{s.with([]byte(`{"items":[` + strings.Repeat("{},", 4<<20) + "{}]}"))}
	},
	"a flood of notices": func(_ *liar, s said) []said {
		return append(slices.Repeat([]said{{byte(remote.KindNotice), []byte("\x01{\"level\":1,\"line\":\"\\u001b[2Jx\"}")}}, 12_000), s)
	},
	"hello again and again": func(l *liar, s said) []said {
		if f := s.frame(); f == nil || f.Kind != session.KindHello {
			return []said{s}
		}
		return slices.Repeat([]said{s}, 1000)
	},
	"another plan": func(_ *liar, s said) []said {
		f := s.frame()
		if f == nil || f.Plan == nil {
			return []said{s}
		}
		f.Plan.Hash[3]++
		return []said{s.with(f.Encode())}
	},
	"a seen that is long": func(_ *liar, s said) []said {
		f := s.frame()
		if f == nil || f.Hello == nil {
			return []said{s}
		}
		var b []byte
		b = pack.Array(b, 1<<16)
		return []said{s.with(bytes.Replace(f.Encode(), changelog.AppendSeen(nil, &f.Hello.Seen), b, 1))}
	},
}

func lockSaid(t session.Turn) said {
	f := &session.Frame{Kind: session.KindLock, Lock: &session.Lock{Turn: t, Place: "somewhere"}}
	return said{byte(remote.KindFrame), append([]byte{1}, f.Encode()...)}
}

// subset reports whether all of a is in b, as often.
func subset(a, b []string) bool {
	n := map[string]int{}
	for _, x := range b {
		n[x]++
	}
	for _, x := range a {
		if n[x]--; n[x] < 0 {
			return false
		}
	}
	return true
}

// judge looks at both stores after a run with a liar: nothing beside them changed,
// what they hold are messages that there were, the logs are sound, and honest runs
// come to an end that is equal.
func (p *pair) judge(what string, before [2][]string, beside string, mayLose bool) {
	t := p.t
	if got := p.outside(); got != beside {
		t.Errorf("%s: beside the stores:\n%s\nwas\n%s", what, got, beside)
	}
	all := slices.Concat(before[0], before[1])
	for i, side := range []string{"A", "B"} {
		now := p.content(side)
		if !mayLose && !subset(before[i], now) {
			t.Errorf("%s: %s lost mail: %d of %d", what, side, len(now), len(before[i]))
		}
		for _, x := range now {
			if !slices.Contains(all, x) {
				t.Errorf("%s: %s holds %.60q, which nobody sent", what, side, x)
			}
		}
	}
	var rep *Report
	var err error
	for range 3 {
		if rep, err = honest(p); rep.Exit == ExitOK {
			break
		}
	}
	if rep.Exit != ExitOK && rep.Exit != ExitData && rep.Exit != ExitAgain {
		t.Errorf("%s: an honest run afterwards ends with %d: %v %v; %v %v", what, rep.Exit, rep.Err, err, rep.Skipped, rep.Again)
	}
	if !mayLose && rep.Exit != ExitOK {
		t.Errorf("%s: honest runs afterwards end with %d: %v; %v %v", what, rep.Exit, rep.Err, rep.Skipped, rep.Again)
	}
	for _, side := range []string{"A", "B"} {
		c := Check(t.Context(), CheckOptions{Location: p.loc(side), ChangeLog: filepath.Join(p.dir, "log"+side), LockWait: 10 * time.Second})
		if c.Err != nil || len(c.Findings) > 0 {
			t.Errorf("%s: the log of %s: %v %v", what, side, c.Err, c.Findings)
		}
	}
}

// hostileSeed is where a test's random things come from.
func hostileSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("DSYNC_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("DSYNC_SEED=%d go test -run %s ./cmd/internal/engine", seed, t.Name())
	return seed
}

// histories is how many random cases are tried.
func histories(def int) int {
	if n, err := strconv.Atoi(os.Getenv("DSYNC_HISTORIES")); err == nil {
		return n
	}
	return def
}

// R5: what no end of ours says, to either end, at any packet: an error or nothing,
// and no mail lost.
func TestHostileBreaks(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(hostileSeed(t), 1))
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range breaks {
			if !yield(n) {
				return
			}
		}
	})
	for i := range histories(2 * len(breaks)) {
		name, victim, at := names[i%len(names)], i/len(names)%2, rng.IntN(9)
		what := fmt.Sprintf("%q to end %d at packet %d", name, victim, at)
		p := hostilePair(t)
		l := &liar{rng: rng, victim: victim}
		l.lie(at, func(s said) []said { return breaks[name](l, s) })
		before, beside := [2][]string{p.content("A"), p.content("B")}, p.outside()
		rep, far := hostileRun(p, l, time.Second)
		if rep.Exit == ExitInternal || strings.Contains(fmt.Sprint(rep.Err, far), "change log is damaged") {
			t.Errorf("%s: near %d %v, far %v", what, rep.Exit, rep.Err, far)
		}
		p.judge(what, before, beside, false)
		if t.Failed() {
			t.Logf("%s: near %d %v; far %v", what, rep.Exit, rep.Err, far)
			return
		}
	}
}

// R5: bodies that are not what was said: no message appears that was not sent, and
// none goes.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(io.ReadCloser) io.ReadCloser{
		"shorter": func(r io.ReadCloser) io.ReadCloser { return bodyOf(io.LimitReader(r, 10), r) },
		"longer":  func(r io.ReadCloser) io.ReadCloser { return bodyOf(io.MultiReader(r, strings.NewReader("more\n")), r) },
		"another": func(r io.ReadCloser) io.ReadCloser { return bodyOf(strings.NewReader("Subject: another\n\nbody\n"), r) },
		"none":    func(r io.ReadCloser) io.ReadCloser { return bodyOf(strings.NewReader(""), r) },
		"endless": func(r io.ReadCloser) io.ReadCloser { return bodyOf(io.LimitReader(endless{}, 64<<20), r) },
		"failing": func(r io.ReadCloser) io.ReadCloser { return bodyOf(failing{}, r) },
	} {
		for victim := range 2 {
			what := fmt.Sprintf("bodies %s to end %d", name, victim)
			p := hostilePair(t)
			before, beside := [2][]string{p.content("A"), p.content("B")}, p.outside()
			l := &liar{victim: victim, say: func(s said) []said { return []said{s} }, body: body}
			rep, far := hostileRun(p, l, 10*time.Second)
			if rep.Exit == ExitOK {
				t.Errorf("%s: near %d %v, far %v", what, rep.Exit, rep.Err, far)
			}
			p.judge(what, before, beside, false)
		}
	}
}

func bodyOf(r io.Reader, c io.Closer) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{r, c}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "Subject: without end\n"), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("as asked") }

// R5: an end that says that it is alive, and nothing else, is given up.
func TestHostileSilence(t *testing.T) {
	t.Parallel()
	for victim := range 2 {
		for _, at := range []int{0, 3} {
			p := hostilePair(t)
			before, beside := [2][]string{p.content("A"), p.content("B")}, p.outside()
			l := &liar{victim: victim}
			l.say = func(s said) []said {
				if l.count > at {
					return nil
				}
				return []said{s}
			}
			rep, far := hostileRun(p, l, 500*time.Millisecond)
			if text := fmt.Sprint(rep.Err, far); rep.Exit != ExitTemp || !strings.Contains(text, "alive") {
				t.Errorf("silence to end %d from packet %d: near %d %v, far %v", victim, at, rep.Exit, rep.Err, far)
			}
			p.judge("silence", before, beside, false)
		}
	}
}

// R5: what a known peer can make an end hold: a packet's limit, times what its values
// take when they are taken apart.
func TestHostileMemory(t *testing.T) {
	const most = 40 // times a packet
	node := changelog.AppendNode(nil, &changelog.Node{GUIDs: make([]store.MailboxGUID, 1)})
	message := changelog.AppendMessage(nil, &changelog.Message{Origins: []changelog.Write{{Dot: changelog.Dot{Replica: changelog.Replica{ID: 1, Epoch: 1}, Seq: 1}}}, Content: store.Content{GUID: "g"}})
	empty := pack.Array(pack.Uint(pack.Array(nil, 2), uint64(session.KindDelta)), 5)
	for _, c := range []struct {
		name string
		head []byte
		item []byte
	}{
		{"nodes", empty, node},
		{"messages", pack.Bytes(pack.Array(pack.Array(slices.Clone(empty), 0), 0), changelog.AppendUVs(nil, nil)), message},
	} {
		p := hostilePair(t)
		n := (8 << 20) / len(pack.Bytes(nil, c.item))
		delta := pack.Array(slices.Clone(c.head), n)
		for range n {
			delta = pack.Bytes(delta, c.item)
		}
		var base, peak uint64
		measure := func() uint64 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			return m.HeapAlloc
		}
		runtime.GC()
		base = measure()
		done, over := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(over)
			for {
				select {
				case <-done:
					return
				case <-time.After(2 * time.Millisecond):
					measure()
				}
			}
		}()
		l := &liar{victim: 1}
		l.say = func(s said) []said {
			if f := s.frame(); f != nil && f.Delta != nil {
				return []said{s.with(delta)}
			}
			return []said{s}
		}
		before, beside := [2][]string{p.content("A"), p.content("B")}, p.outside()
		rep, far := hostileRun(p, l, 10*time.Second)
		close(done)
		<-over
		t.Logf("%d %s of %d bytes, %d MB: peak %d MB above %d; near %v, far %v", n, c.name, len(c.item), len(delta)>>20, (peak-base)>>20, base>>20, rep.Err, far)
		if peak-base > most*uint64(len(delta)) {
			t.Errorf("%s: %d MB for %d MB", c.name, (peak-base)>>20, len(delta)>>20)
		}
		p.judge("a large delta of "+c.name, before, beside, false)
	}
}
