package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/opener"
	"dsync/cmd/internal/owner"
	"dsync/cmd/internal/progress"
	"dsync/cmd/internal/remote"
	"dsync/cmd/internal/userdb"
	"dsync/store"
)

func main() {
	debug.SetGCPercent(30) // memory before speed: what the heap holds is large, but few pointers
	p := ofSystem()
	os.Exit(p.main(p.signals(), os.Args[1:]))
}

// ofSystem is a call by the system.
func ofSystem() *program {
	p := &program{
		stdout: os.Stdout, env: os.Getenv, now: time.Now, uid: os.Getuid(), etc: "/etc/dsync", cores: runtime.NumCPU(), homeOf: systemHome,
		msg:   messages{w: os.Stderr},
		calls: ofEngine, stream: stdio,
	}
	if width, ok := progress.Terminal(os.Stderr); ok {
		p.width = width
		p.msg.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return p
}

// signals gives a context that the first SIGINT or SIGTERM cancels; the second
// ends the program at once, with the line that it owes.
func (p *program) signals() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-caught
		cancel()
		<-caught
		p.last.now(engine.ExitTemp, errors.New("stopped by a second signal"))
		os.Exit(engine.ExitTemp)
	}()
	return ctx
}

// calls is what the program asks of others; tests put their own in.
type calls struct {
	run     func(context.Context, engine.Options) *engine.Report
	log     func(context.Context, engine.LogOptions, func(engine.LogLine) error) error
	check   func(context.Context, engine.CheckOptions) *engine.CheckReport
	modSeqs func(context.Context, engine.LogOptions) (engine.ModSeqs, error)
	unshown func(context.Context, engine.LogOptions) (engine.Unshown, error)
	look    func(location string, as *opener.As) (store.Store, error)
	// share makes the way to a change log that processes share.
	share func(context.Context, owner.Setup) changeLog
}

var ofEngine = calls{run: engine.Run, log: engine.Log, check: engine.Check, modSeqs: engine.OpenModSeqs,
	unshown: engine.ReadUnshown, look: opener.Look,
	share: func(ctx context.Context, s owner.Setup) changeLog { return owner.New(ctx, s) }}

// program is one call of dsync and all that it touches of the world.
type program struct {
	stdout io.Writer
	env    func(string) string
	now    func() time.Time
	uid    int
	etc    string // directory of the system's configuration
	cores  int
	homeOf func(user string) (string, error) // from the system's user database
	width  int                               // of the terminal at standard error; 0: none
	msg    messages
	calls  calls
	stream func() (*remote.Stream, error) // where a server is talked to
	last   lastLine
}

func systemHome(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.HomeDir, nil
}

// main runs one command line and gives the exit status.
func (p *program) main(ctx context.Context, args []string) (exit int) {
	p.msg.user = p.login()
	defer func() {
		if r := recover(); r != nil {
			err := fmt.Errorf("internal error: %v; please report it with what -D prints", r)
			p.msg.print(engine.Error, err.Error())
			p.msg.print(engine.Debug, string(debug.Stack()))
			p.last.now(engine.ExitInternal, err)
			exit = engine.ExitInternal
		}
	}()
	v, c, words, err := parse(args)
	p.msg.level = v.level()
	if err == nil {
		exit, err = p.command(ctx, c, v, words)
	}
	if err == nil {
		return exit
	}
	exit = exitOf(err)
	text := err.Error()
	if exit == engine.ExitUsage {
		text += hint(c)
	}
	p.msg.print(engine.Error, text)
	if exit != engine.ExitUsage {
		p.last.now(exit, err)
	}
	return exit
}

// fatal ends the program, with the line that it owes, when the change log can go on no
// longer.
func (p *program) fatal(exit int, err error) {
	p.msg.print(engine.Error, err.Error())
	p.last.now(exit, err)
	os.Exit(exit)
}

// command runs the command. An error is one that ended it early.
func (p *program) command(ctx context.Context, c *command, v *values, words []string) (int, error) {
	if v.help {
		return engine.ExitOK, p.print(help(c))
	}
	if v.missing != nil {
		return 0, usage(v.missing)
	}
	if err := c.count(words); err != nil {
		return 0, usage(err)
	}
	return c.run(ctx, p, &call{command: c, values: v, words: words})
}

// call is one command with its options and words.
type call struct {
	*command
	*values
	words []string
}

func usage(err error) error { return engine.Fail(engine.ExitUsage, err) }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// exitOf is engine.ExitOf, and knows the errors of locations.
func exitOf(err error) int {
	var missing *location.Missing
	switch {
	case errors.As(err, &missing):
		return engine.ExitUsage
	case errors.Is(err, location.ErrNoUser), errors.Is(err, userdb.ErrUnknown):
		return engine.ExitNoUser
	case errors.As(err, new(*userdb.EntryError)):
		return engine.ExitConfig
	}
	return engine.ExitOf(err)
}

func hint(c *command) string {
	if c == nil || c.name == "help" {
		return `; see "dsync help"`
	}
	return fmt.Sprintf(`; see "dsync %s --help"`, c.name)
}

// print writes a result at one go.
func (p *program) print(text string) error {
	if _, err := io.WriteString(p.stdout, text); err != nil {
		return engine.Fail(engine.ExitTemp, fmt.Errorf("write to standard output: %w", err))
	}
	return nil
}
