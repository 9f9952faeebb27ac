package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dsync/cmd/internal/location"
)

// command is one row of the table.
type command struct {
	name    string
	words   string // what follows the options
	min     int    // words
	max     int    // words; -1: any number
	mixed   bool   // options may follow words
	summary string
	about   []string // paragraphs of help and man
	exits   []exitLine
	run     func(context.Context, *program, *call) (int, error)
}

type exitLine struct {
	status  string
	meaning string
}

func (c *command) count(words []string) error {
	switch {
	case len(words) < c.min && c.min == 1:
		return fmt.Errorf("%s is missing", c.words)
	case len(words) < c.min:
		return fmt.Errorf("want %s", c.words)
	case c.max >= 0 && len(words) > c.max:
		return fmt.Errorf("%q is one word too many", words[c.max])
	}
	return nil
}

func commands() []*command {
	return []*command{
		{
			name: "sync", words: "DESTINATION", max: -1, run: runSync,
			summary: "make two accounts equal, both ways",
			about: []string{
				"Merges the changes of both sides and loses none of either. With -1 only the destination changes, and loses nothing.",
				"The state is printed on standard output; give it to the next run with -s, or use -s auto.",
			},
			exits: syncExits,
		},
		{
			name: "backup", words: "DESTINATION", max: -1, run: runSync,
			summary: "make the destination equal to the source",
			about: []string{
				"The destination becomes a mirror of the source: what differs in it is changed or deleted. -R makes the destination named the source.",
				"The source is not touched and may be read-only.",
			},
			exits: syncExits,
		},
		{
			name: "server", run: runServer,
			summary: "be the other end of remote syncs, on standard input and output or on the network",
			about: []string{
				"What remote:, remoteprefix: and commands as destinations run at the far end, by ssh or the like. The mail is that of -u, or of who runs it, where the configuration of this end has it; the near end has no say in that.",
				"With --listen it takes connections of many near ends until SIGTERM. Each may name the users whom listen.users allows it; the user databases and the configuration of this end say where their mail is. At SIGHUP configuration, certificates, secrets and user databases are read anew.",
				"dsync-server is another name for it.",
			},
			exits: []exitLine{{"0", "the near end was answered; with --listen: ended by SIGTERM or SIGINT"}},
		},
		{
			name: "serve", run: runServe,
			summary: "hold the change log, and do the work of other dsync processes",
			about: []string{
				"Opens the change log and stays. Other commands of the same user that find it open (sync, backup, plan, server) hand their work over, wait, and print what came of it; so does one with -S, whatever its change log is. Without a serve each process that opens the change log does the same for others as long as it runs.",
				"SIGTERM ends it: runs under way end as by SIGINT, and their commands with 75. SIGHUP has the configuration read anew. systemd is told how it stands; --units prints units. The settings serve.* name one more socket, and a local address for /metrics and /healthz. --listen is that of server.",
			},
			exits: []exitLine{{"0", "ended by SIGTERM or SIGINT"}},
		},
		{
			name: "plan", words: "DESTINATION", max: -1, run: runSync,
			summary: "show what a sync would do, and by which rule",
			about:   []string{"Takes the options of sync and changes nothing. Each step is one line, with the rule that decided it and the reason."},
			exits:   []exitLine{{"0", "there is nothing to do"}, {"2", "there is something to do"}},
		},
		{
			name: "verify", words: "A B", min: 2, max: 2, mixed: true, run: runVerify,
			summary: "say whether two accounts are equal",
			about: []string{
				"Compares mailboxes, subscriptions, attributes, UIDVALIDITY, UIDNEXT and, by UID, GUID, flags, keywords, received date and the SHA-256 of each body; never modseqs. Each difference is one line: A's value | B's value.",
				"A UIDVALIDITY that is higher at B while all else in the mailbox is equal is named as what a backup leaves; it is a difference all the same, but with --backup.",
			},
			exits: []exitLine{{"0", "equal"}, {"2", "different"}, {"65", "damaged items could not be compared"}},
		},
		{
			name: "dump", words: "LOCATION", min: 1, max: 1, mixed: true, run: runDump,
			summary: "list an account canonically",
			about: []string{
				"INBOX first, then mailboxes by name, messages by UID. --json is the stable form: one object on one line.",
				"Changes nothing. A message that has no UID yet is shown under the one that it would get.",
			},
			exits: []exitLine{{"0", "listed"}, {"2", "the account changed meanwhile"}, {"65", "damaged items are missing in the listing"}, {"68", "no mailbox fits -m"}},
		},
		{
			name: "log", words: "LOCATION", min: 1, max: 1, mixed: true, run: runLog,
			summary: "show the change log of an account",
			about: []string{"What happened, where it came from, and what a rule overrode; oldest first. --json prints one object a line. -v adds Subject and From to the lines of conflicts.",
				"Mailboxes are named as they were at the time, which is when this log learned of it. What was trimmed from the log (log_max_age, log_max_bytes) is not shown."},
			exits: []exitLine{{"0", "shown"}, {"68", "no mailbox fits -m"}},
		},
		{
			name: "check", words: "LOCATION", min: 1, max: 1, mixed: true, run: runCheck,
			summary: "check log, view and store against each other",
			about:   []string{"Without --repair nothing is changed."},
			exits:   []exitLine{{"0", "sound"}, {"2", "all damage was repaired"}, {"65", "damage is left"}},
		},
		{
			name: "config", run: runConfig, summary: "print the settings in force, and where each comes from",
			about: []string{
				"What is printed is a configuration file that would say the same. --sample prints one in which every setting stands, commented out, with what it means.",
				"The file read is that of -c, else for users other than root $XDG_CONFIG_HOME/dsync/dsync.toml (~/.config/dsync/dsync.toml), else /etc/dsync/dsync.toml. -o beats it.",
			},
			exits: []exitLine{{"0", "printed"}},
		},
		labGroup(),
		{name: "version", run: runVersion, summary: "print the version", exits: []exitLine{{"0", "printed"}}},
		{
			name: "completion", words: "SHELL", min: 1, max: 1, run: runCompletion,
			summary: "print a completion script for bash, zsh or fish",
			about:   []string{`For bash: eval "$(dsync completion bash)".`},
			exits:   []exitLine{{"0", "printed"}},
		},
		{
			name: "man", run: runMan, summary: "print the manual page",
			about: []string{"dsync man >dsync.1; man ./dsync.1"},
			exits: []exitLine{{"0", "printed"}},
		},
		{name: "help", words: "[COMMAND]", max: 2, run: runHelp, summary: "print help", exits: []exitLine{{"0", "printed"}}},
	}
}

var syncExits = []exitLine{
	{"0", "both sides are equal, within the filter"},
	{"2", "done, and running again mends the rest"},
	{"65", "done, but the items listed need a person"},
	{"73", "as 65, for want of space"},
	{"77", "as 65, for want of permission"},
}

// allExits hold for every command.
var allExits = []exitLine{
	{"1", "internal error"},
	{"64", "usage"},
	{"67", "no such user"},
	{"75", "temporary failure, also after SIGINT and SIGTERM; try again"},
	{"77", "permission"},
	{"78", "configuration"},
}

// absent are commands of the manual and the design that are not built.
var absent = map[string]string{
	"restore": "the command restore (undo from the log) is",
}

func findCommand(name string) *command {
	if name == "dsync-server" { // doveadm's name for it
		name = "server"
	}
	for _, c := range everyCommand() {
		if c.name == name {
			return c
		}
	}
	return nil
}

// everyCommand has those of the laboratory, too.
func everyCommand() []*command { return append(commands(), labCommands()...) }

// lookup finds the command that a command line begins with, and what follows it.
func lookup(words []string) (*command, []string) {
	if len(words) > 1 {
		if c := findCommand(words[0] + " " + words[1]); c != nil && words[0] == "lab" {
			return c, words[2:]
		}
	}
	return findCommand(words[0]), words[1:]
}

func unknownCommand(name string) error {
	if what := absent[name]; what != "" {
		return &location.Missing{What: what}
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return errors.New("unknown command " + fmt.Sprintf("%.60q", name) + "; known are " + strings.Join(names, ", "))
}
