package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dsync/fuzz/dovecot"
	"dsync/fuzz/live"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// Outside is a synchroniser that is a command. Accounts are Maildirs that a Dovecot
// changes and reads; the command makes the runs. Close it when its worlds are closed.
//
// In the command line stand
//
//	%a %b   the two locations, as maildir:/path
//	%A %B   the same without maildir:
//	%v      sync or backup
//	%o      the options of the run, as doveadm-sync(1) has them (-1 -f -s STATE -m NAME …)
//	%%      a percent sign
//
// Each is put in as shell words. Without %v a backup, without %o a run with options
// is ErrUnsupported. The last line of standard output is taken for the state.
type Outside struct {
	name string
	line string

	mu  sync.Mutex
	dir string
	d   *dovecot.Dovecot
}

// Doveadm is "doveadm sync" and "doveadm backup" of the Dovecot that is installed.
func Doveadm() *Outside {
	return &Outside{name: "doveadm", line: "doveadm -o mail_location=%a %v %o %b"}
}

// Command is an engine whose runs a command line makes. It is known by its first
// word.
func Command(line string) (*Outside, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil, errors.New("the command line of an engine is empty")
	}
	e := &Outside{name: filepath.Base(words[0]), line: line}
	if !(strings.Contains(line, "%a") || strings.Contains(line, "%A")) || !(strings.Contains(line, "%b") || strings.Contains(line, "%B")) {
		return nil, fmt.Errorf("command line %q: %%a and %%b (or %%A and %%B) must stand for the two accounts", line)
	}
	if _, err := e.fill(map[byte][]string{'a': nil, 'b': nil, 'A': nil, 'B': nil, 'v': nil, 'o': nil}); err != nil {
		return nil, err
	}
	return e, nil
}

// Name implements Engine.
func (e *Outside) Name() string { return e.name }

// Line is the command line of an engine made by Command; "" of Doveadm.
func (e *Outside) Line() string {
	if e.name == "doveadm" && e.line == Doveadm().line {
		return ""
	}
	return e.line
}

// fill puts words into the command line.
func (e *Outside) fill(words map[byte][]string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(e.line); i++ {
		if e.line[i] != '%' {
			out.WriteByte(e.line[i])
			continue
		}
		i++
		if i < len(e.line) && e.line[i] == '%' {
			out.WriteByte('%')
			continue
		}
		if i == len(e.line) {
			return "", fmt.Errorf("command line %q ends with %%", e.line)
		}
		ws, ok := words[e.line[i]]
		if !ok {
			return "", fmt.Errorf("command line %q: unknown %%%c; known are %%a %%b %%A %%B %%v %%o %%%%", e.line, e.line[i])
		}
		for j, w := range ws {
			if j > 0 {
				out.WriteByte(' ')
			}
			out.WriteString("'" + strings.ReplaceAll(w, "'", `'\''`) + "'")
		}
	}
	return out.String(), nil
}

// Start implements Engine.
func (e *Outside) Start(set Setup) (World, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.dir == "" {
		if e.dir, err = temporary(); err != nil {
			return nil, err
		}
	}
	if e.d == nil {
		if e.d, err = newDovecot(e.dir); err != nil {
			return nil, err
		}
	}
	id := worldCount.Add(1)
	w := &outside{e: e, set: set, states: map[[2]string][]string{}}
	for i := range set.Replicas {
		path := filepath.Join(e.dir, fmt.Sprintf("w%d-%d", id, i))
		a, err := live.NewDovecot(e.d, path, false)
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}
		w.accounts, w.paths = append(w.accounts, a), append(w.paths, path)
		// What nobody has used yet is not there: the first run makes it.
		if err := os.RemoveAll(path); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// Close ends the engine and removes the directory of its Maildirs.
func (e *Outside) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	dir := e.dir
	e.dir, e.d = "", nil
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

// outside is a world of Outside.
type outside struct {
	e        *Outside
	set      Setup
	accounts []*live.Account
	paths    []string
	tokens   tokens
	states   map[[2]string][]string // by pair, in order
}

// Do implements World.
func (w *outside) Do(s scenario.Step) error {
	if s.Verb == scenario.Tick {
		// Dovecot's time stamps are whole seconds where it matters.
		time.Sleep(secondsOf(s))
		return nil
	}
	a := w.accounts[w.set.index(s.At)]
	switch s.Verb {
	case scenario.Save:
		return a.Save()
	case scenario.Restore:
		a.Reconnect()
		return a.Restore()
	case scenario.Clone:
		a.Reconnect()
		return a.Become(w.accounts[w.set.index(s.With)])
	case scenario.Damage:
		a.Reconnect()
		return damage(a, s)
	case scenario.UIDValidity, scenario.UIDNext:
		for _, o := range operations(w.set, s, nil) {
			if err := a.Renumber(o); err != nil {
				return err
			}
		}
		return nil
	case scenario.Attribute, scenario.LoseLog, scenario.Trim, scenario.Clock:
		return unsupported(s)
	}
	if strings.Contains(s.Message, "/") {
		return unsupported(s) // Dovecot gives a GUID of its own to each delivery
	}
	if s.Verb == scenario.Deliver && s.Received != 0 {
		return a.Deliver(s.Mailbox, s.Message, s.Received.Time())
	}
	var shown *scenario.Mailbox
	if s.Message != "" && s.Verb != scenario.Deliver {
		l, err := w.tokens.listDovecot(a)
		if err != nil {
			return err
		}
		if shown = mailbox(l, s.Mailbox); shown == nil {
			return nil
		}
	}
	for _, o := range operations(w.set, s, shown) {
		if err := a.Do(o); err != nil {
			return err
		}
	}
	return nil
}

// secondsOf is how long a tick waits: a second and a little, so that whole seconds
// differ; a longer one waits no longer.
func secondsOf(s scenario.Step) time.Duration {
	if d := time.Duration(s.Span); d > 0 && d < time.Second {
		return d
	}
	return 1010 * time.Millisecond
}

// List implements World. A look does not make what is not there.
func (w *outside) List(replica string) (*scenario.Listing, error) {
	i := w.set.index(replica)
	if _, err := os.Stat(w.paths[i]); errors.Is(err, os.ErrNotExist) {
		return &scenario.Listing{Mailboxes: []scenario.Mailbox{{Name: store.Inbox}}}, nil
	}
	return w.tokens.listDovecot(w.accounts[i])
}

// Close implements World.
func (w *outside) Close() error {
	var errs []error
	for _, a := range w.accounts {
		errs = append(errs, a.Close())
	}
	return errors.Join(errs...)
}

// Sync implements World.
func (w *outside) Sync(s scenario.Step) (Report, error) {
	a, b := w.set.index(s.At), w.set.index(s.With)
	options, err := w.options(s)
	if err != nil {
		return Report{}, err
	}
	verb := "sync"
	if s.Verb == scenario.Backup {
		verb = "backup"
	}
	if verb == "backup" && !strings.Contains(w.e.line, "%v") || len(options) > 0 && !strings.Contains(w.e.line, "%o") {
		return Report{}, unsupported(s)
	}
	line, err := w.e.fill(map[byte][]string{'a': {"maildir:" + w.paths[a]}, 'b': {"maildir:" + w.paths[b]}, 'A': {w.paths[a]}, 'B': {w.paths[b]},
		'v': {verb}, 'o': options})
	if err != nil {
		return Report{}, err
	}
	// What a client holds open would keep the command waiting.
	w.accounts[a].Reconnect()
	w.accounts[b].Reconnect()
	ctx, cancel := context.WithTimeout(context.Background(), dovecot.CommandLimit)
	defer cancel()
	cmd := w.e.d.Shell(ctx, line)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	rep := Report{Bytes: -1, Says: strings.TrimSpace(stderr.String())}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return rep, fmt.Errorf("%s: no end after %v", line, dovecot.CommandLimit)
	case errors.As(err, &exit):
		rep.Exit = exit.ExitCode()
	case err != nil:
		return rep, fmt.Errorf("%s: %w", line, err)
	}
	if rep.Exit == 127 || rep.Exit == 126 {
		return rep, fmt.Errorf("%s: %s", line, rep.Says)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	key := [2]string{s.At, s.With}
	w.states[key] = append(w.states[key], lines[len(lines)-1])
	return rep, nil
}

// options are those of doveadm-sync(1) for a run.
func (w *outside) options(s scenario.Step) (out []string, err error) {
	if s.Verb == scenario.OneWay {
		out = append(out, "-1")
	}
	kept := w.states[[2]string{s.At, s.With}]
	last := func(back int) string {
		if len(kept) == 0 {
			return ""
		}
		return kept[max(0, len(kept)-back)]
	}
	switch w.set.mode(s.Run) {
	case scenario.Full:
		out = append(out, "-f")
	case scenario.State:
		out = append(out, "-s", last(1))
	case scenario.Stale:
		out = append(out, "-s", last(2))
	case scenario.Corrupt:
		out = append(out, "-s", "unreadable")
	case scenario.Foreign:
		state := ""
		for k, states := range w.states { // any order: a foreign state is one like another
			if k != [2]string{s.At, s.With} {
				state = states[len(states)-1]
			}
		}
		out = append(out, "-s", state)
	}
	r := s.Run
	if r == nil {
		return out, nil
	}
	if r.Faulty() || len(r.Only) > 1 || r.Policy != "" {
		return nil, unsupported(s)
	}
	for _, n := range r.Only {
		out = append(out, "-m", string(n))
	}
	for _, m := range r.Except {
		out = append(out, "-x", m)
	}
	if r.Since != 0 {
		out = append(out, "-t", fmt.Sprint(int64(r.Since)))
	}
	if r.Before != 0 {
		out = append(out, "-e", fmt.Sprint(int64(r.Before)))
	}
	return out, nil
}
