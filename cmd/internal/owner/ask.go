package owner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"dsync/changelog/logdb"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/remote"
)

// Run makes a run: here, or at the owner. It never returns nil.
func (l *Log) Run(ctx context.Context, r *Run) *engine.Report {
	a := &asking{l: l, r: r}
	err := l.try(ctx, max(r.Options.LockWait, r.Options.LogWait),
		func(*logdb.DB) { a.here(ctx) },
		func() (bool, error) { return a.hand(ctx, l.path()) })
	if err != nil {
		a.rep = engine.NotBegun(r.Options, err)
	}
	a.end(ctx)
	return a.rep
}

// RunAt has a run made by the owner that listens at a socket, and by nobody else.
func (l *Log) RunAt(ctx context.Context, path string, r *Run) *engine.Report {
	a := &asking{l: l, r: r}
	if done, err := a.hand(ctx, path); !done {
		a.rep = engine.NotBegun(r.Options, notThere(path, err))
	}
	a.end(ctx)
	return a.rep
}

// ReadyAt says whether an owner that takes runs listens at a socket.
func (l *Log) ReadyAt(ctx context.Context, path string) error {
	c, ans, err := l.connect(ctx, path)
	if err != nil {
		return notThere(path, err)
	}
	defer c.Close()
	if ans.Closing {
		return notThere(path, fmt.Errorf("pid %d is ending", ans.PID))
	}
	return nil
}

// notThere says that nobody took what was to be handed over at a socket.
func notThere(path string, err error) error {
	return engine.Fail(engine.ExitTemp, fmt.Errorf("nobody takes work at %s: %w", path, err))
}

// runHere makes a run of this process.
func (l *Log) runHere(ctx context.Context, o engine.Options) *engine.Report {
	o.DB = l.db
	rep := l.s.Run(ctx, o)
	if l.s.Ended != nil {
		l.s.Ended(o.User, rep)
	}
	return rep
}

// asking is a run on its way.
type asking struct {
	l      *Log
	r      *Run
	stream *remote.Stream // to the child; nil: not started, or its link has it
	rep    *engine.Report
}

// here makes the run in this process, over the child that there may be already.
func (a *asking) here(ctx context.Context) {
	o := a.r.Options
	if s := a.stream; s != nil {
		a.stream = nil
		o.Connect = func(context.Context) (*remote.Link, error) { return s.Link(a.r.Link.Wire()), nil }
	}
	a.rep = a.l.runHere(ctx, o)
}

// hand hands the run to the owner at a socket.
func (a *asking) hand(ctx context.Context, path string) (done bool, why error) {
	c, ans, err := a.l.connect(ctx, path)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if ans.Closing {
		return false, fmt.Errorf("pid %d is ending", ans.PID)
	}
	d, err := a.r.data()
	if err != nil {
		return a.failed(err)
	}
	var files []*os.File
	if a.r.Start != nil {
		if a.stream == nil {
			if a.stream, err = a.r.Start(ctx); err != nil {
				return a.failed(fmt.Errorf("%s: %w", a.r.Options.Far, err))
			}
		}
		if files, err = a.stream.Files(); err != nil {
			return a.failed(err)
		}
	}
	if d.Raw {
		files = append(files, a.r.Link.Raw)
	}
	w := &handing{l: a.l, c: c, pid: ans.PID, notice: a.r.Options.Notice, progress: a.r.Options.Progress}
	w.taken = func() {
		if a.stream != nil {
			a.stream.Close() // the owner alone speaks on it
		}
	}
	e, err := w.do(ctx, &work{Run: d}, files)
	switch {
	case !w.begun:
		return false, err
	case err != nil:
		return a.failed(err)
	case e.Report == nil:
		return a.failed(fmt.Errorf("%w: no report", errFrame))
	}
	a.rep = e.Report.report()
	return true, nil
}

// failed ends the run with a report of this process.
func (a *asking) failed(err error) (bool, error) {
	o := a.r.Options
	o.State = "" // what was done is not known
	a.rep = engine.NotBegun(o, err)
	return true, nil
}

// end waits for the child, if this process still has it.
func (a *asking) end(ctx context.Context) {
	if a.stream == nil {
		return
	}
	err := a.stream.End(a.rep.Err == nil)
	if err != nil && ctx.Err() == nil {
		a.rep.Add(engine.Fail(engine.ExitTemp, fmt.Errorf("%s: %w", a.r.Options.Far, err)))
	}
}

// connect finds the owner and asks whether it takes work.
func (l *Log) connect(ctx context.Context, path string) (*net.UnixConn, *answer, error) {
	c, err := Dial(path)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	ans, err := greet(c)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, ans, c.SetDeadline(time.Time{})
}

func greet(c *net.UnixConn) (*answer, error) {
	c.SetDeadline(time.Now().Add(answerTime))
	b, err := encode(kindHello, &hello{Format, types(), space(), os.Getpid()})
	if err != nil {
		return nil, err
	}
	if err := send(c, b, nil); err != nil {
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	k, b, err := readFrame(c, maxFirst)
	if err != nil {
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	ans := &answer{}
	if k != kindHello {
		return nil, fmt.Errorf("%w: kind %d", errFrame, k)
	}
	if err := decode(b, ans); err != nil {
		return nil, err
	}
	if ans.Refused != "" {
		return nil, fmt.Errorf("pid %d: %s", ans.PID, ans.Refused)
	}
	return ans, nil
}

// handing is work at the owner.
type handing struct {
	l        *Log
	c        *net.UnixConn
	pid      int
	begun    bool   // the owner took it
	taken    func() // is told then
	notice   func(engine.Level, string)
	progress func(engine.Progress)
}

// do sends the work and waits for its end. Until begun is set nothing was done.
func (h *handing) do(ctx context.Context, w *work, files []*os.File) (*end, error) {
	b, err := encode(kindWork, w)
	if err != nil {
		return nil, err
	}
	h.c.SetDeadline(time.Now().Add(answerTime))
	if err := send(h.c, b, files); err != nil {
		return nil, err
	}
	// Closing this direction is how the owner learns that the work is to end; the
	// report comes on the other.
	stop := context.AfterFunc(ctx, func() { h.c.CloseWrite() })
	defer stop()
	for {
		k, b, err := readFrame(h.c, maxFrame)
		switch {
		case err != nil && !h.begun:
			return nil, fmt.Errorf("it did not take the work: %w", err)
		case err != nil:
			return nil, h.lost(err)
		}
		h.c.SetReadDeadline(time.Now().Add(ownerStall))
		if e, err := h.got(k, b); e != nil || err != nil {
			return e, err
		}
	}
}

// lost says what an owner that went away leaves.
func (h *handing) lost(err error) error {
	how := "ended in the middle of it"
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		how = "says no more"
	}
	return engine.Fail(engine.ExitTemp, fmt.Errorf("the process that has the change log open (pid %d) and that this work was handed to %s; what was done stands, the next run goes on from there: %w", h.pid, how, err))
}

// got takes a frame.
func (h *handing) got(k kind, b []byte) (*end, error) {
	switch k {
	case kindTaken:
		h.begun = true
		if h.taken != nil {
			h.taken()
		}
		return nil, nil
	case kindHello:
		var ans answer
		if err := decode(b, &ans); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("pid %d: %s", ans.PID, ans.Refused)
	case kindAlive:
		return nil, nil
	case kindNotice:
		var n notice
		err := decode(b, &n)
		if err == nil && h.notice != nil {
			h.notice(n.Level, n.Text)
		}
		return nil, err
	case kindProgress:
		var p engine.Progress
		err := decode(b, &p)
		if err == nil && h.progress != nil {
			h.progress(p)
		}
		return nil, err
	case kindEnd:
		e := &end{}
		return e, decode(b, e)
	}
	return nil, fmt.Errorf("%w: kind %d", errFrame, k)
}
