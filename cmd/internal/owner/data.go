package owner

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"reflect"
	"sync"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/opener"
	"dsync/cmd/internal/remote"
	"dsync/replay/wire"
	"dsync/store"
)

// Run is a run that is asked for.
type Run struct {
	// Options are the engine's, but for DB. Connect is for a run of this process; for
	// one that is handed over there is Start or Call.
	Options engine.Options
	// Start starts the child that the far end is behind; nil: there is none.
	Start func(context.Context) (*remote.Stream, error)
	// Call is the far end on the network; nil: there is none.
	Call *Call
	Link LinkOptions
	// Level is that of the lightest notice that is wanted.
	Level engine.Level
}

// Call is a far end on the network, with what reaching it takes, as data.
type Call struct {
	Target   location.Target
	Settings []string // KEY=VALUE, as -o has them
	Timeout  time.Duration
}

// LinkOptions are wire.Options as data.
type LinkOptions struct {
	Timeout time.Duration
	Raw     *os.File // nil: none
}

// Wire gives them as wire has them.
func (o LinkOptions) Wire() wire.Options {
	w := wire.Options{Timeout: o.Timeout}
	if o.Raw != nil {
		w.Raw = o.Raw
	}
	return w
}

// FarEnd is the far end of remote runs that this process was started to be.
type FarEnd struct {
	Options engine.Options    // User, As, Far, SpaceAt, ChangeLog, LogAge, LogBytes, Notice, Fatal
	Spaces  map[string]string // namespace -> location: Options.SpaceAt as data
	Stream  *remote.Stream    // nothing was said on it
	Link    LinkOptions
	Wait    time.Duration // for the change log
}

// work is what goes over the socket.
type work struct {
	Run *runData
	Far *farData
}

// hello is what an asker says first.
type hello struct {
	Format int
	Types  uint64
	Space  string
	PID    int
}

// answer is what the owner says to a hello, and to work that it does not take.
type answer struct {
	PID     int
	Refused string // why; "": go on
	Closing bool   // no runs are taken
}

// end is how work ended.
type end struct {
	Report *reportData // of a run
	Exit   int
	Err    *errorData
}

// runData is engine.Options without what is code.
type runData struct {
	User, Near, Far, ChangeLog string
	Namespace                  string
	As                         *opener.As
	Mode                       engine.Mode
	Reverse                    bool
	Algorithm                  engine.Algorithm
	State                      string
	KeepState                  bool
	Filter                     engine.Filter
	LockWait, LogWait          time.Duration
	DryRun                     bool
	MaxDelete                  engine.MaxDelete
	Policy, PolicyText         string
	SpecialUse                 map[string]string
	LogAge                     time.Duration
	LogBytes                   int64

	Progress bool
	Level    engine.Level
	Pipes    bool // the first two descriptors lead to the far end
	Raw      bool // the last descriptor takes the raw log
	Timeout  time.Duration
	Call     *Call
}

func (r *Run) data() (*runData, error) {
	o := r.Options
	d := &runData{
		User: o.User, As: o.As, Namespace: o.Namespace, Near: o.Near, Far: o.Far, ChangeLog: o.ChangeLog, Mode: o.Mode, Reverse: o.Reverse, Algorithm: o.Algorithm,
		State: o.State, KeepState: o.KeepState, Filter: o.Filter, LockWait: o.LockWait, LogWait: o.LogWait, DryRun: o.DryRun, MaxDelete: o.MaxDelete,
		Policy: o.Policy, PolicyText: o.PolicyText, SpecialUse: o.SpecialUse, LogAge: o.LogAge, LogBytes: o.LogBytes,
		Progress: o.Progress != nil, Level: r.Level, Pipes: r.Start != nil, Raw: r.Link.Raw != nil, Timeout: r.Link.Timeout, Call: r.Call,
	}
	if d.PolicyText == "" {
		var err error
		if d.PolicyText, err = engine.PolicyText(o.Policy); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *runData) options() engine.Options {
	return engine.Options{
		User: d.User, As: d.As, Namespace: d.Namespace, Near: d.Near, Far: d.Far, ChangeLog: d.ChangeLog, Mode: d.Mode, Reverse: d.Reverse, Algorithm: d.Algorithm,
		State: d.State, KeepState: d.KeepState, Filter: d.Filter, LockWait: d.LockWait, LogWait: d.LogWait, DryRun: d.DryRun, MaxDelete: d.MaxDelete,
		Policy: d.Policy, PolicyText: d.PolicyText, SpecialUse: d.SpecialUse, LogAge: d.LogAge, LogBytes: d.LogBytes,
	}
}

// farData is a FarEnd. The first two descriptors lead to the near end.
type farData struct {
	User, Location string
	LogAge         time.Duration
	LogBytes       int64
	As             *opener.As
	Raw            bool
	Spaces         map[string]string
	Timeout        time.Duration
}

// spaceAt is engine.Options.SpaceAt.
func (d *farData) spaceAt(name string) (string, error) {
	if at, ok := d.Spaces[name]; ok {
		return at, nil
	}
	return "", engine.Fail(engine.ExitConfig, fmt.Errorf("this end has no namespace %s with a location", name))
}

// reportData is engine.Report with its error as data.
type reportData struct {
	Report engine.Report // without Err
	Err    *errorData
}

// errorData is what is left of an error.
type errorData struct {
	Text string
	Exit int
	Busy bool // it wrapped store.ErrBusy
}

func errorOf(err error) *errorData {
	if err == nil {
		return nil
	}
	return &errorData{err.Error(), engine.ExitOf(err), errors.Is(err, store.ErrBusy)}
}

// toldError is an error of the owner's, with its words.
type toldError struct {
	text string
	is   error
}

func (e *toldError) Error() string { return e.text }
func (e *toldError) Unwrap() error { return e.is }

func (d *errorData) error() error {
	if d == nil {
		return nil
	}
	e := &toldError{text: d.Text}
	if d.Busy {
		e.is = store.ErrBusy
	}
	return engine.Fail(d.Exit, e)
}

func dataOf(rep *engine.Report) *reportData {
	d := &reportData{*rep, errorOf(rep.Err)}
	d.Report.Err = nil
	return d
}

func (d *reportData) report() *engine.Report {
	rep := d.Report
	rep.Err = d.Err.error()
	return &rep
}

// notice is a line for people.
type notice struct {
	Level engine.Level
	Text  string
}

// types is a print of all that goes over: two programs that differ in it do not
// understand each other.
var types = sync.OnceValue(func() uint64 {
	h := fnv.New64a()
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		fmt.Fprintf(h, "%s %s;", t, t.Kind())
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(t.Elem())
		case reflect.Map:
			walk(t.Key())
			walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				if f := t.Field(i); f.IsExported() {
					fmt.Fprintf(h, "%s:", f.Name)
					walk(f.Type)
				}
			}
		}
	}
	for _, v := range []any{work{}, answer{}, end{}, notice{}, engine.Progress{}} {
		walk(reflect.TypeOf(v))
	}
	return h.Sum64()
})
