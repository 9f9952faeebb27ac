package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/choose"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/location"
	"dsync/cmd/internal/policyfile"
	"dsync/fuzz/policy"
	"dsync/store"
)

// values is what the options of one command line say.
type values struct {
	help, debug, verbose  bool
	settings              []string
	config                *string // nil: the default
	user, userFile        string
	allUsers, defaultDest bool
	allNamespaces         bool
	spaces                []string // -n
	jobs                  int      // 0: the setting

	oneWay, full, reverse, dryRun, json, repair, noBodies, backup bool

	state     string
	hasState  bool
	mailboxes []string
	guids     []store.MailboxGUID
	treeOnly  bool
	exclude   []string
	since     string
	before    string
	maxSize   int64
	flag      string
	flagNot   bool
	hasFlag   bool
	lockWait  *time.Duration // nil: the setting
	maxDelete engine.MaxDelete
	policy    string
	sample    bool
	lab       labValues
	bounds    bounds
	explore   exploreValues
	simulate  simulateValues

	timeout time.Duration
	rawlog  string
	listen  []string
	socket  string // of -S, absolute; "": none
	units   bool

	idle    []string // options that have nothing to do
	missing error    // an option that is not built
}

func (v *values) level() engine.Level {
	switch {
	case v == nil:
		return engine.Warning
	case v.debug:
		return engine.Debug
	case v.verbose:
		return engine.Info
	}
	return engine.Warning
}

// option is one row of the table.
type option struct {
	short string // one letter, or none
	long  string
	arg   string // what the value is called; "": a switch
	help  string // one sentence; "": not shown
	at    string // the commands that take it; "*": all, also before the command
	set   func(v *values, s string) error
}

const (
	syncs = " sync backup plan "
	looks = " verify dump log check "
	plays = " lab-run lab-compare " + one
	one   = " lab-export lab-draw " // that play one scenario
)

func (o *option) takenBy(c *command) bool {
	if o.at != "*" {
		return o.special(c)
	}
	// A command's own option has the letter.
	return o.short == "" || !slices.ContainsFunc(options, func(other *option) bool { return other.short == o.short && other.special(c) })
}

// special reports whether the option is one of just some commands, this among them.
func (o *option) special(c *command) bool {
	return o.at != "*" && c != nil && strings.Contains(o.at, " "+strings.ReplaceAll(c.name, " ", "-")+" ")
}

func on(field func(*values) *bool) func(*values, string) error {
	return func(v *values, _ string) error {
		*field(v) = true
		return nil
	}
}

// idle accepts an option that has nothing to do between local Maildirs.
func idle(name string) func(*values, string) error {
	return func(v *values, _ string) error {
		v.idle = append(v.idle, name)
		return nil
	}
}

func missing(what string) func(*values, string) error {
	return func(v *values, _ string) error {
		v.missing = errors.Join(v.missing, &location.Missing{What: what})
		return nil
	}
}

var options = append([]*option{
	{"1", "one-way", "", "Carry what the source gained to the destination, which loses nothing.", " sync plan ", on(func(v *values) *bool { return &v.oneWay })},
	{"f", "full", "", "Read and compare everything, trusting no fingerprint.", syncs, on(func(v *values) *bool { return &v.full })},
	{"s", "state", "STATE", "Continue from the state that the last run printed; '' starts, auto keeps it in the change log and prints none.", syncs, (*values).setState},
	{"R", "reverse", "", "Swap source and destination: pull instead of push.", syncs, on(func(v *values) *bool { return &v.reverse })},
	{"m", "mailbox", "NAME", "Only this mailbox, or a special use like \\Sent; may be repeated; '' is the tree and subscriptions alone.", syncs + " dump log ", (*values).addMailbox},
	{"g", "mailbox-guid", "GUID", "As -m, by the mailbox's GUID.", syncs, (*values).addGUID},
	{"n", "namespace", "NAME", "Only this namespace of the configuration, by name or prefix; '' is mail_location; may be repeated.", syncs, (*values).addNamespace},
	{"N", "all-namespaces", "", "mail_location and all namespaces of the configuration that have a location of their own.", syncs, on(func(v *values) *bool { return &v.allNamespaces })},
	{"x", "exclude", "MASK", "Leave out mailboxes that fit the mask (* and ?) or special use; may be repeated.", syncs, (*values).addExclude},
	{"t", "since", "DATE", "Only new messages received at this time or later.", syncs + " log ", date(func(v *values) *string { return &v.since })},
	{"e", "before", "DATE", "Only new messages received before this time.", syncs, date(func(v *values) *string { return &v.before })},
	{"I", "max-size", "SIZE", "Only new messages of at most this size, like 10M.", syncs, (*values).setMaxSize},
	{"O", "flag", "[-]FLAG", "Only new messages with this flag or keyword, or with - without it.", syncs, (*values).setFlag},
	{"l", "lock-wait", "SECS", "Wait so long for another run on the account (default 30, or the setting lock_wait; 0: not at all).", syncs + " check ", (*values).setLockWait},
	{"u", "user", "USER", "The user whose mail it is: %u in locations.", looks + " server ", func(v *values, s string) error { v.user = s; return nil }},
	{"u", "user", "USER", "The user whose mail it is: %u in locations; with * and ? all whom the user databases list and who fit.", syncs, func(v *values, s string) error { v.user = s; return nil }},
	{"A", "all-users", "", "All users whom the user databases list.", syncs, on(func(v *values) *bool { return &v.allUsers })},
	{"F", "user-file", "FILE", "One run for each user in the file, one name a line.", syncs, func(v *values, s string) error { v.userFile = s; return nil }},
	{"j", "jobs", "N", "With -A, -F or a mask in -u: how many users are worked on at once (default: a core each, or the setting jobs).", syncs, (*values).setUserJobs},
	{"d", "default-destination", "", "The destination is mail_replica of the user database or the configuration.", syncs, on(func(v *values) *bool { return &v.defaultDest })},
	{"", "dry-run", "", "Print what would be done and by which rule; change nothing.", syncs, on(func(v *values) *bool { return &v.dryRun })},
	{"", "max-delete", "LIMIT", "Stop rather than expunge more: off, N messages, P%, or N,P% (default 100,50%).", syncs, (*values).setMaxDelete},
	{"", "policy", "POLICY", "How conflicts are settled: " + strings.Join(engine.Policies(), ", ") + ", or a file, named with a slash or .toml.", syncs, (*values).setPolicy},
	{"", "no-bodies", "", "Do not read and compare bodies.", " verify ", on(func(v *values) *bool { return &v.noBodies })},
	{"", "backup", "", "B is a backup of A: a UIDVALIDITY that is higher at B, all else being equal, is named and does not count.", " verify ", on(func(v *values) *bool { return &v.backup })},
	{"", "sample", "", "Print a commented sample of the configuration file.", " config ", on(func(v *values) *bool { return &v.sample })},
	{"", "repair", "", "Repair what can be repaired.", " check ", on(func(v *values) *bool { return &v.repair })},
	{"", "engine", "NAME", "What plays the scenarios; several with commas, or by repeating it.", plays + " lab-test ", (*values).addEngine},
	{"", "engine-cmd", "COMMAND", "A synchroniser that is a command line; may be repeated. It must say %a and %b; see above.", plays + " lab-test ", (*values).addEngineCommand},
	{"", "policy", "NAME", "The policy instead of the scenario's; lab compare takes several, with commas.", plays + " lab-test ", (*values).addPolicy},
	{"", "mode", "MODE", "How runs are asked for instead of as the scenario says: fast, full, state, stale, foreign, corrupt.", plays, (*values).setMode},
	{"", "pairs", "N", "How many pairs of histories are tried (default " + fmt.Sprint(policy.Defaults.Pairs) + ").", " lab-policy ", (*values).setPairs},
	{"", "histories", "N", "How many random histories are tried (default " + fmt.Sprint(policy.Defaults.Histories) + ").", " lab-policy ", (*values).setHistories},
	{"", "sessions", "N", "How many random histories are tried in whole sessions (default " + fmt.Sprint(policy.Defaults.Sessions) + ").", " lab-policy ", (*values).setSessions},
	{"", "seed", "N", "What is drawn from where something is drawn at random.", plays + " lab-policy lab-test ", (*values).setSeed},
	{"", "rewrite", "", "Make the files expect what came.", " lab-run ", on(func(v *values) *bool { return &v.lab.rewrite })},
	{"", "scenario", "NAME", "Which scenario of the file: its name, or a part of it that no other has.", one, func(v *values, s string) error { v.lab.scenario = s; return nil }},
	{"", "format", "FORMAT", "json (if not said otherwise) or tla.", " lab-export ", (*values).setFormat},
	{"o", "output", "FILE", "Write to this file, not to standard output.", one + " lab-import ", func(v *values, s string) error { v.lab.output = s; return nil }},
	{"", "traces", "", "Describe traces instead.", " lab-language ", on(func(v *values) *bool { return &v.lab.traces })},
	{"", "csv", "", "Print comma-separated values, a line for each scenario and column.", " lab-run lab-compare ", on(func(v *values) *bool { return &v.lab.csv })},
	{"", "json", "", "Print JSON on standard output.", syncs + looks + " lab-run lab-compare lab-policy lab-outcomes lab-test lab-explore lab-simulate ", on(func(v *values) *bool { return &v.json })},
	{"", "seed", "N", "The seed of the first world; drawn if it is not said. Alone it plays that one world.", " lab-simulate ", (*values).setSimulatedSeed},
	{"", "worlds", "N", fmt.Sprintf("How many worlds are played (default %d, with --seed 1).", simulatedWorlds), " lab-simulate ", (*values).setWorlds},
	{"", "minutes", "M", "Play worlds for so long.", " lab-simulate ", (*values).setMinutes},
	{"", "jobs", "N", "How many worlds are played at once (default: a core each).", " lab-simulate ", (*values).setJobs},
	{"", "replicas", "N", "How many replicas each world has, 2 to 5; drawn if it is not said.", " lab-simulate ", (*values).setReplicas},
	{"", "topology", "NAME", "Who may meet whom: line, ring, star, mesh, random; drawn if it is not said.", " lab-simulate ", (*values).setTopology},
	{"", "faults", "LIST", "Which faults there are, with commas; all (the default) or none; see above.", " lab-simulate ", (*values).setFaults},
	{"", "policy", "POLICY", "By which policy runs decide; a name or a file.", " lab-simulate ", (*values).setSimulatedPolicy},
	{"", "engine", "NAME", "Every world on memory, pebble or maildir.", " lab-simulate ", (*values).setSimulatedEngine},
	{"", "write", "DIR", "Where the scenario of a world that breaks a law is written (default: here).", " lab-simulate ", (*values).setScenarioDirectory},
	{"P", "purge", "", "Nothing to do between Maildirs; accepted.", syncs, idle("-P")},
	{"r", "rawlog", "FILE", "Append to this file, in readable form, what goes to and comes from the other end.", syncs + " server ", func(v *values, s string) error { v.rawlog = s; return nil }},
	{"T", "timeout", "SECS", "End a connection on which so long nothing came or went (default 600).", syncs + " server ", (*values).setTimeout},
	{"", "listen", "ADDRESS", "Take connections: HOST:PORT with TLS, tcp:HOST:PORT without; '' takes those of listen.address; may be repeated. See the settings listen.*.", " server serve ", func(v *values, s string) error { v.listen = append(v.listen, s); return nil }},
	{"U", "notify", "", "Nothing to do without a replicator; accepted.", syncs, idle("-U")},

	{"S", "socket", "PATH", "Send the command to the dsync serve that listens at this socket.", syncs + " server ", (*values).setSocket},
	{"", "units", "", "Print units for systemd: the service, and a service and timer that sync all accounts.", " serve ", on(func(v *values) *bool { return &v.units })},

	{"D", "debug", "", "Print debug lines; includes -v.", "*", on(func(v *values) *bool { return &v.debug })},
	{"v", "verbose", "", "Show progress on a terminal, and one summary line.", "*", on(func(v *values) *bool { return &v.verbose })},
	{"o", "setting", "KEY=VALUE", "Override a setting; may be repeated.", "*", func(v *values, s string) error { v.settings = append(v.settings, s); return nil }},
	{"c", "config", "FILE", "Read settings from this TOML file, not from the usual place; '' reads none.", "*", func(v *values, s string) error { v.config = &s; return nil }},
	{"h", "help", "", "Print help.", "*", on(func(v *values) *bool { return &v.help })},
}, slices.Concat(checkOptions, exploreOptions)...)

func (v *values) setState(s string) error {
	v.state, v.hasState = s, true
	return nil
}

func (v *values) addMailbox(s string) error {
	if s == "" {
		v.treeOnly = true
		return nil
	}
	if choose.IsUse(s) {
		use, err := choose.Use(s)
		v.mailboxes = append(v.mailboxes, use)
		return err
	}
	_, err := choose.Name(s, false)
	v.mailboxes = append(v.mailboxes, s)
	return err
}

func (v *values) addGUID(s string) error {
	if s == "" {
		v.treeOnly = true
		return nil
	}
	g, err := store.ParseMailboxGUID(s)
	v.guids = append(v.guids, g)
	return err
}

func (v *values) addNamespace(s string) error {
	v.spaces = append(v.spaces, s)
	return nil
}

func (v *values) addExclude(s string) error {
	if choose.IsUse(s) {
		use, err := choose.Use(s)
		v.exclude = append(v.exclude, use)
		return err
	}
	if s == "" || len(s) > store.MaxName {
		return fmt.Errorf("want a mask of 1 to %d bytes", store.MaxName)
	}
	v.exclude = append(v.exclude, s)
	return nil
}

// date checks the form now; ages are reckoned from the start of the run.
func date(field func(*values) *string) func(*values, string) error {
	return func(v *values, s string) error {
		*field(v) = s
		_, err := argument.Date(s, time.Unix(0, 0))
		return err
	}
}

func (v *values) setMaxSize(s string) (err error) {
	v.maxSize, err = argument.Size(s)
	return err
}

func (v *values) setFlag(s string) (err error) {
	if v.hasFlag {
		return errors.New("one flag only")
	}
	v.hasFlag = true
	v.flag, v.flagNot, err = argument.Flag(s)
	return err
}

func (v *values) setLockWait(s string) error {
	d, err := argument.Seconds(s)
	v.lockWait = &d
	return err
}

func (v *values) setUserJobs(s string) error {
	n, err := strconv.Atoi(s)
	if v.jobs = n; err != nil || n < 1 || n > config.MaxJobs {
		return fmt.Errorf("want a number from 1 to %d", config.MaxJobs)
	}
	return nil
}

func (v *values) setMaxDelete(s string) (err error) {
	v.maxDelete, err = argument.MaxDelete(s)
	return err
}

func (v *values) setPolicy(s string) error {
	if !policyfile.IsFile(s) {
		if _, err := policyfile.Load(s); err != nil {
			return fmt.Errorf("known are %s, and files named with a slash or .toml", strings.Join(engine.Policies(), ", "))
		}
	}
	v.policy = s
	return nil
}

// flagValue lets pflag set one option.
type flagValue struct {
	o *option
	v *values
}

func (f flagValue) String() string     { return "" }
func (f flagValue) Type() string       { return f.o.arg }
func (f flagValue) Set(s string) error { return f.o.set(f.v, s) }

// flagSet gives pflag the options of a command; nil: those before a command.
func flagSet(v *values, c *command) *pflag.FlagSet {
	fs := pflag.NewFlagSet("dsync", pflag.ContinueOnError)
	fs.Usage = func() {}
	for _, o := range options {
		if !o.takenBy(c) {
			continue
		}
		f := fs.VarPF(flagValue{o, v}, o.long, o.short, o.help)
		if o.arg == "" {
			f.NoOptDefVal = "true"
		}
	}
	return fs
}
