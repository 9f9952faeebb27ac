package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/fleet"
	"dsync/cmd/internal/location"
)

// maxNamed is how many users one line names.
const maxNamed = 20

// company is the users of one run, and what became of them so far.
type company struct {
	*syncRun
	ctx     context.Context
	items   []item
	members []*member      // while they are worked on
	owner   map[string]int // which item a directory belongs to

	start    time.Time
	exits    map[int]int // status -> users
	sides    [2]engine.Side
	rules    map[int]int
	steps    int
	ended    int
	failed   []failedUser
	notBegun []string
	out      error // why nothing more could be printed
}

// item is one run: of a user, and one of his namespaces.
type item struct {
	user  string // "": who runs the program
	space *namespace
}

// label names an item: USER, or USER/NAMESPACE; no user's name has a slash.
func (c *company) label(i int) string {
	it := c.items[i]
	if it.user == "" {
		it.user = c.login()
	}
	if it.space != nil {
		return it.user + "/" + it.space.name
	}
	return it.user
}

// what is how several items are called.
func (c *company) what() string {
	if len(c.spaces) > 1 || c.spaces[0] != nil {
		return "namespaces of users"
	}
	return "users"
}

type failedUser struct {
	User string `json:"user"`
	Exit int    `json:"exit"`
}

// everyUser makes the runs of all users of the command line.
func (r *syncRun) everyUser(ctx context.Context) (int, error) {
	names, err := r.listUsers(ctx)
	if err != nil {
		return 0, err
	}
	if r.manyUsers() {
		if err := r.checkVaries(names[0]); err != nil {
			return 0, err
		}
	}
	c := &company{syncRun: r, ctx: ctx, owner: map[string]int{},
		start: r.now(), exits: map[int]int{}, rules: map[int]int{}}
	for _, u := range names {
		for _, n := range r.spaces {
			c.items = append(c.items, item{u, n})
		}
	}
	c.members = make([]*member, len(c.items))
	defer c.closeLog()
	if err := c.shareLog(ctx); err != nil {
		return 0, err
	}
	defer c.network.close()
	debug.SetGCPercent(100) // many small heaps one after another: main's setting would sweep all the time
	fleet.Run(ctx, len(c.items), fleet.Options{
		Jobs: c.jobCount(), Wait: r.base.LockWait,
		Ready: c.ready, Work: c.work, Done: c.done,
	})
	return c.finish(), nil
}

func (c *company) jobCount() int {
	switch {
	case c.jobs > 0:
		return c.jobs
	case c.set.Said(config.Jobs):
		return int(c.set.Number(config.Jobs))
	}
	return c.defaultJobs()
}

// shareLog readies the one change log of all, unless each user has one.
func (c *company) shareLog(ctx context.Context) (err error) {
	if location.Varies(c.set.Get(config.ChangeLog)) {
		return nil
	}
	b := &c.base
	if b.ChangeLog, err = c.changeLog(c.set, c.program.vars("")); err != nil {
		return err
	}
	c.log = c.share(ctx, c.program, b)
	return c.log.Ready(ctx, b.LockWait)
}

func (c *company) closeLog() {
	if c.log == nil {
		return
	}
	if err := c.log.Close(); err != nil {
		c.msg.print(engine.Error, err.Error())
	}
}

// checkVaries finds what is wrong with the locations whoever the user is, and
// keeps the mail of many users from one account.
func (r *syncRun) checkVaries(first string) error {
	if near := r.set.Get(config.MailLocation); near != "" && !location.Varies(near) && len(r.dbs) == 0 {
		return usagef("%s=%s is the same for every user; write %%u where the name belongs", config.MailLocation, near)
	}
	if r.defaultDest {
		return nil
	}
	far, err := r.target(r.words, r.vars(first))
	if absent := (*location.Missing)(nil); errors.As(err, &absent) {
		return asked(err)
	}
	if err == nil && far.Remote() && far.Address == "" && far.Prefix == "" && r.sameForAll() {
		return usagef("the command %q is the same for every user, so that all would share one account; write %%u where the name belongs", strings.Join(far.Argv, " "))
	}
	if words := strings.Join(r.words, " "); !far.Remote() && !location.Varies(words) {
		return usagef("the destination %s is the same for every user; write %%u where the name belongs", words)
	}
	return nil
}

// sameForAll reports whether a command leads to one place whoever the user is.
func (r *syncRun) sameForAll() bool {
	a, errA := r.target(r.words, &location.Vars{User: "a@a", Home: func() (string, error) { return "/a", nil }})
	b, errB := r.target(r.words, &location.Vars{User: "b@b", Home: func() (string, error) { return "/b", nil }})
	return errA == nil && errB == nil && slices.Equal(a.Argv, b.Argv)
}

// ready looks a user up, and refuses an account that belongs to another: names that
// differ may expand alike.
func (c *company) ready(i int) error {
	m, err := c.member(c.ctx, c.items[i].user)
	m.space = c.items[i].space
	m.say = c.msg.as(c.label(i))
	c.members[i] = m
	if err != nil {
		return err
	}
	near, words, err := m.sides()
	if err != nil {
		return err
	}
	places := []string{near}
	if t, err := m.target(words, m.vars); err != nil || !t.Remote() { // a far end knows whose mail is where
		places = append(places, strings.Join(words, " "))
	}
	for _, text := range places {
		place, err := location.Place(text, m.vars)
		if err != nil {
			continue // whoever opens it says why
		}
		other, taken := c.owner[place]
		if taken && m.space != nil && m.space == c.items[other].space && !location.Varies(m.space.location) {
			return errShared
		}
		if taken && other != i {
			return usagef("%s is also the account of %s", place, c.label(other))
		}
		c.owner[place] = i
	}
	return nil
}

// sides gives, as text, where the two accounts are.
func (m *member) sides() (near string, words []string, err error) {
	if m.space != nil {
		words, err = m.farSpace()
		return m.space.location, words, err
	}
	if near, _ = m.said(config.MailLocation); near == "" {
		near = "maildir:~"
	}
	words, _, err = m.destination()
	return near, words, err
}

// work makes one user's run. It waits for nobody who holds the account: the fleet
// calls it again. With a far end each try is a connection, so that the second is the
// last, and waits; it is made when no user is left to be begun.
func (c *company) work(ctx context.Context, i int, last bool) fleet.Result {
	m := c.members[i]
	o, err := m.options()
	if err != nil {
		return fleet.Result{Err: err}
	}
	o.LogWait, o.Notice = o.LockWait, m.quietly
	if o.Connect == nil || !m.tried {
		o.LockWait = 0
	} else {
		last = true
	}
	rep := m.run(ctx, o)
	m.tried = true
	return fleet.Result{Busy: !last && held(rep), Value: rep}
}

// quietly takes notices of a run among many: what is worth a line of -v where there
// is one user is worth one of -D here.
func (m *member) quietly(l engine.Level, text string) {
	if l == engine.Info {
		l = engine.Debug
	}
	m.say.print(l, text)
}

// done prints what became of one user.
func (c *company) done(i int, r fleet.Result) {
	m := c.members[i]
	c.members[i] = nil
	c.ended++
	name := c.label(i)
	rep, _ := r.Value.(*engine.Report)
	switch p := (*fleet.Panic)(nil); {
	case r.NotBegun:
		c.notBegun = append(c.notBegun, name)
		rep = &engine.Report{Exit: engine.ExitTemp, Err: errors.New("not begun: interrupted")}
	case errors.Is(r.Err, errShared):
		m.say.print(engine.Debug, r.Err.Error())
		rep = &engine.Report{}
	case r.Err != nil:
		rep = &engine.Report{Exit: exitOf(r.Err), Err: r.Err}
		if errors.As(r.Err, &p) {
			m.say.print(engine.Debug, string(p.Stack))
		}
	}
	c.msg.clear()
	if !r.NotBegun {
		m.tell(rep, engine.Debug)
	}
	if err := c.print(c.lines(name, rep)); err != nil && c.out == nil {
		c.out = err
		c.msg.print(engine.Error, err.Error())
	}
	c.count(name, rep, r.NotBegun)
	c.msg.progress(engine.Progress{Phase: "users", Done: int64(c.ended), Total: int64(len(c.items)), Bytes: c.sides[0].Bytes + c.sides[1].Bytes})
}

// lines is what a user's run prints: each line says whose it is.
func (c *company) lines(name string, rep *engine.Report) string {
	text := c.result(name, rep)
	if c.json {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(clean(name) + "\t" + line)
	}
	return b.String()
}

// count adds a user's report to the sum.
func (c *company) count(name string, rep *engine.Report, notBegun bool) {
	c.exits[rep.Exit]++
	if rep.Exit != engine.ExitOK && !(c.dry && rep.Exit == engine.ExitAgain) {
		c.failed = append(c.failed, failedUser{name, rep.Exit})
		if !notBegun {
			c.msg.of(name, engine.Error, fmt.Sprintf("user %s ended with status %d", name, rep.Exit))
		}
	}
	for i := range c.sides {
		add(&c.sides[i], rep.Sides[i])
	}
	for _, x := range rep.Conflicts {
		c.rules[x.Rule]++
	}
	c.steps += len(rep.Plan)
}

// finish tells of those who were not begun, prints the summary, and gives the status
// that stands for all.
func (c *company) finish() int {
	c.msg.clear()
	if n := len(c.notBegun); n > 0 {
		named := strings.Join(c.notBegun[:min(n, maxNamed)], ", ")
		if n > maxNamed {
			named += fmt.Sprintf(" and %d more", n-maxNamed)
		}
		c.msg.printf(engine.Error, "interrupted: %d %s were not begun: %s", n, c.what(), named)
	}
	all := slices.Collect(maps.Keys(c.exits))
	if c.out != nil {
		all = append(all, exitOf(c.out))
	}
	exit := engine.Combine(all...)
	c.msg.print(engine.Info, c.summary())
	if err := c.last.pay(func() error { return c.print(c.jsonSummary(exit)) }); err != nil && c.out == nil {
		c.msg.print(engine.Error, err.Error())
		exit = engine.Combine(exit, exitOf(err))
	}
	return exit
}

func add(to *engine.Side, s engine.Side) {
	to.Copied += s.Copied
	to.Bytes += s.Bytes
	to.Moved += s.Moved
	to.Expunged += s.Expunged
	to.Flags += s.Flags
	to.Renumbered += s.Renumbered
	to.Created += s.Created
	to.Renamed += s.Renamed
	to.Deleted += s.Deleted
	to.Subscribed += s.Subscribed
	to.Attributes += s.Attributes
}

// summary is the one line of -v: how the users ended, and what was done to all.
func (c *company) summary() string {
	ends := []string{}
	for _, exit := range slices.Sorted(maps.Keys(c.exits)) {
		what := fmt.Sprintf("with status %d", exit)
		switch {
		case exit == engine.ExitOK && c.dry:
			what = "with nothing to do"
		case exit == engine.ExitOK:
			what = "equal"
		case exit == engine.ExitAgain && c.dry:
			what = "with something to do"
		}
		ends = append(ends, fmt.Sprintf("%d %s", c.exits[exit], what))
	}
	parts := []string{fmt.Sprintf("%d %s: %s", len(c.items), c.what(), strings.Join(ends, ", "))}
	if c.dry {
		parts = append(parts, fmt.Sprintf("%d steps to do", c.steps))
	} else {
		parts = append(parts, did(c.sides)...)
	}
	parts = append(parts, byRules(c.rules), c.now().Sub(c.start).Round(time.Millisecond).String())
	return strings.Join(parts, "; ")
}

// jsonCompany is the last line of --json where there are several users.
type jsonCompany struct {
	Exit      int          `json:"exit"`
	Error     string       `json:"error,omitempty"`
	Users     int          `json:"users"`
	Equal     int          `json:"equal"` // users that ended with 0
	Failed    []failedUser `json:"failed"`
	NotBegun  []string     `json:"not_begun"`
	Near      jsonSide     `json:"near"`
	Far       jsonSide     `json:"far"`
	Conflicts int          `json:"conflicts"`
	Steps     int          `json:"steps"`
	Duration  float64      `json:"duration"` // seconds
}

// jsonSummary is what is printed after the last user.
func (c *company) jsonSummary(exit int) string {
	if !c.json {
		return ""
	}
	conflicts := 0
	for _, n := range c.rules {
		conflicts += n
	}
	return jsonLine("summary", jsonCompany{
		Exit: exit, Users: len(c.items), Equal: c.exits[engine.ExitOK], Failed: append([]failedUser{}, c.failed...), NotBegun: append([]string{}, c.notBegun...),
		Near: jsonSide(c.sides[0]), Far: jsonSide(c.sides[1]), Conflicts: conflicts, Steps: c.steps, Duration: c.now().Sub(c.start).Seconds(),
	})
}

// oweSummary says what is printed if the run ends before all users have.
func (r *syncRun) oweSummary() {
	r.last.owe(func(exit int, err error) {
		if r.json {
			_ = r.print(jsonLine("summary", jsonCompany{Exit: exit, Error: err.Error(), Failed: []failedUser{}, NotBegun: []string{}}))
		}
	})
}
