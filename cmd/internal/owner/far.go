package owner

import (
	"context"
	"fmt"
	"os"

	"dsync/changelog/logdb"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/remote"
	"dsync/replay/wire"
)

// Far is a far end: here, or at the owner. The near end is told what was wrong, by
// whoever speaks on the stream. Who waits has said nothing yet: the near end may hold
// its store's lock, so this end is handed over to whatever owner comes, until f.Wait is
// over.
func (l *Log) Far(ctx context.Context, f *FarEnd) error {
	var werr error
	spoken := false
	err := l.try(ctx, f.Wait, func(*logdb.DB) {
		spoken = true
		werr = l.farHere(ctx, f)
	}, func() (done bool, why error) {
		done, werr, why = l.handFar(ctx, l.path(), f)
		spoken = done
		return done, why
	})
	if err == nil || spoken {
		return werr
	}
	return refuse(f, err)
}

// FarAt has the owner that listens at a socket be the far end.
func (l *Log) FarAt(ctx context.Context, path string, f *FarEnd) error {
	done, err, why := l.handFar(ctx, path, f)
	if done {
		return err
	}
	return refuse(f, notThere(path, why))
}

// refuse tells the near end why there is no far end.
func refuse(f *FarEnd, err error) error {
	k := remote.New(f.Stream, f.Stream.Name, wire.Options{Timeout: f.Link.Timeout})
	k.Fail(engine.ExitOf(err), err.Error())
	return err
}

func (l *Log) handFar(ctx context.Context, path string, f *FarEnd) (done bool, err, why error) {
	c, ans, why := l.connect(ctx, path)
	if why != nil {
		return false, nil, why
	}
	defer c.Close()
	o := f.Options
	d := &farData{User: o.User, Location: o.Far, LogAge: o.LogAge, LogBytes: o.LogBytes,
		As: o.As, Spaces: f.Spaces, Raw: f.Link.Raw != nil, Timeout: f.Link.Timeout}
	files, why := f.Stream.Files()
	if why != nil {
		return false, nil, fmt.Errorf("standard input and output cannot be handed over: %w", why)
	}
	if f.Link.Raw != nil {
		files = append([]*os.File{}, append(files, f.Link.Raw)...)
	}
	h := &handing{l: l, c: c, pid: ans.PID, notice: o.Notice, taken: func() { f.Stream.Close() }}
	e, err := h.do(ctx, &work{Far: d}, files)
	switch {
	case !h.begun:
		return false, nil, err
	case err != nil:
		return true, err, nil
	}
	return true, e.Err.error(), nil
}
