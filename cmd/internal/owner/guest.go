package owner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/remote"
)

// accept takes connections until the socket is closed.
func (l *Log) accept(sock *net.UnixListener) {
	for {
		c, err := sock.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(tryPause) // out of descriptors, and the like
			continue
		}
		if !l.enter() {
			c.Close() // who asks goes on trying
			continue
		}
		go func() {
			defer l.leave()
			defer c.Close()
			l.answer(c)
		}()
	}
}

func (l *Log) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking >= maxAsking {
		return false
	}
	l.asking++
	return true
}

func (l *Log) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking--
}

// answer hears what a process wants, and does it.
func (l *Log) answer(c *net.UnixConn) {
	if err := sameUser(c); err != nil {
		l.note(engine.Warning, "somebody asked at %s: %v", l.path(), err)
		return
	}
	c.SetDeadline(time.Now().Add(askTime))
	t := &taker{c: c}
	defer t.close()
	var h hello
	if err := expect(t, kindHello, &h); err != nil {
		return
	}
	ans := l.judge(&h)
	if tell(c, kindHello, ans) != nil || ans.Refused != "" {
		return
	}
	var w work
	if err := expect(t, kindWork, &w); err != nil {
		return
	}
	far, why := 0, "a request that makes no sense"
	if w.Far != nil {
		far = 1
	}
	if w.fits(len(t.fds)) {
		why = l.admit(far)
	}
	if why != "" {
		tell(c, kindHello, &answer{PID: os.Getpid(), Refused: why})
		return
	}
	defer l.dismiss(far)
	if tell(c, kindTaken, nil) != nil {
		return // who asked is gone, and nothing was begun
	}
	c.SetDeadline(time.Time{})
	l.serve(c, &w, t.take())
}

// judge answers a hello.
func (l *Log) judge(h *hello) *answer {
	ans := &answer{PID: os.Getpid()}
	switch {
	case h.Format != Format || h.Types != types():
		ans.Refused = "it is another version of dsync"
	case h.Space != space():
		ans.Refused = "it sees other files (another mount namespace, or root directory)"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ans.Closing = !l.closing.IsZero()
	return ans
}

// fits reports whether the work has what it needs.
func (w *work) fits(files int) bool {
	want := 0
	switch {
	case (w.Run == nil) == (w.Far == nil):
		return false
	case w.Run != nil:
		if w.Run.Pipes {
			want += 2
		}
		if w.Run.Raw {
			want++
		}
	default:
		want = 2
		if w.Far.Raw {
			want++
		}
	}
	return files == want
}

// admit takes a guest in, or says why not.
func (l *Log) admit(far int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ending := !l.closing.IsZero()
	others := l.guests[0]+l.guests[1] > 0 && time.Since(l.closing) < farGrace
	switch {
	case l.closed || l.ctx.Err() != nil, ending && !(far == 1 && others):
		return "it is ending"
	case l.guests[far] >= [2]int{maxGuests, maxFarEnds}[far]:
		return "it has enough to do"
	}
	l.guests[far]++
	return ""
}

func (l *Log) dismiss(far int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guests[far]--
	l.left.Broadcast()
}

// serve does the work. When the asker closes its end, or takes nothing, the work's
// context ends.
func (l *Log) serve(c *net.UnixConn, w *work, fds []int) {
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	out := newTeller(c, cancel)
	go func() {
		c.Read(make([]byte, 1)) // the asker has nothing more to say
		cancel()
	}()
	e := l.work(ctx, w, fds, out)
	b, err := encode(kindEnd, e)
	if err != nil {
		b, err = encode(kindEnd, &end{Report: &reportData{Report: engine.Report{Exit: engine.ExitInternal}, Err: errorOf(err)}, Exit: engine.ExitInternal})
	}
	if err == nil {
		out.put(b, true)
	}
	out.close()
}

// work does it; a panic is that work's alone.
func (l *Log) work(ctx context.Context, w *work, fds []int, out *teller) (e *end) {
	defer func() {
		if v := recover(); v != nil {
			err := engine.Fail(engine.ExitInternal, fmt.Errorf("internal error: %v", v))
			out.notice(engine.Debug, string(debug.Stack()))
			e = &end{Report: dataOf(engine.NotBegun(engine.Options{}, err)), Exit: engine.ExitInternal, Err: errorOf(err)}
		}
	}()
	if w.Run != nil {
		return &end{Report: dataOf(l.guestRun(ctx, w.Run, fds, out))}
	}
	err := l.guestFar(ctx, w.Far, fds, out)
	return &end{Exit: engine.ExitOf(err), Err: errorOf(err)}
}

// rawLog takes the last descriptor for the raw log, if there is one.
func rawLog(fds []int, has bool) *os.File {
	if !has {
		return nil
	}
	return os.NewFile(uintptr(fds[len(fds)-1]), "raw log")
}

func (l *Log) guestRun(ctx context.Context, d *runData, fds []int, out *teller) *engine.Report {
	raw := rawLog(fds, d.Raw)
	if raw != nil {
		defer raw.Close()
	}
	r := &Run{Options: d.options(), Call: d.Call, Link: LinkOptions{d.Timeout, raw}}
	o := &r.Options
	o.ChangeLog = l.s.Dir // who asked by -S may have another
	o.Notice = func(level engine.Level, text string) {
		if level >= d.Level {
			out.notice(level, text)
		}
	}
	if d.Progress {
		o.Progress = out.progress
	}
	if d.Pipes {
		stream, err := remote.Pipes(fds[0], fds[1])
		if err != nil {
			return engine.NotBegun(*o, err)
		}
		defer stream.Close() // whoever has a link over it has closed it
		stream.Name = d.Far
		o.Connect = func(context.Context) (*remote.Link, error) { return stream.Link(r.Link.Wire()), nil }
	} else if d.Call != nil {
		o.Connect = func(ctx context.Context) (*remote.Link, error) { return l.s.Call(ctx, d.Call, raw) }
	}
	rep := l.runHere(ctx, *o)
	if l.ctx.Err() != nil && rep.Err != nil {
		rep.Err = engine.Fail(engine.ExitTemp, fmt.Errorf("the process that has the change log open (pid %d) was told to end: %w", os.Getpid(), rep.Err))
	}
	return rep
}

// guestFar is a far end for another process.
func (l *Log) guestFar(ctx context.Context, d *farData, fds []int, out *teller) error {
	raw := rawLog(fds, d.Raw)
	if raw != nil {
		defer raw.Close()
	}
	stream, err := remote.Pipes(fds[0], fds[1])
	if err != nil {
		for _, fd := range fds[:2] {
			syscall.Close(fd)
		}
		return err
	}
	f := &FarEnd{Stream: stream, Link: LinkOptions{d.Timeout, raw}}
	f.Options = engine.Options{User: d.User, As: d.As, SpaceAt: d.spaceAt, Far: d.Location, ChangeLog: l.s.Dir, LogAge: d.LogAge, LogBytes: d.LogBytes, Notice: out.notice}
	return l.farHere(ctx, f)
}

// closeTime bounds how long the end of a connection is waited for.
const closeTime = 5 * time.Second

// farHere is the far end, in this process.
func (l *Log) farHere(ctx context.Context, f *FarEnd) error {
	k := remote.New(f.Stream, f.Stream.Name, f.Link.Wire())
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		k.Close(closing)
	}()
	opts := f.Options
	opts.DB, opts.Fatal = l.db, l.s.Fatal
	err := engine.Serve(ctx, k, func(context.Context, string) (engine.Options, func(), error) { return opts, func() {}, nil })
	if l.s.FarEnded != nil {
		l.s.FarEnded(engine.ExitOf(err))
	}
	return err
}
