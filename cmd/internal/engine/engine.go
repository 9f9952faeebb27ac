// Package engine is what the program asks of the synchroniser: one run between
// two locations, and the looks that commands print. It opens stores and change
// logs, wires recorders to sessions, and turns what came out into a Report; it
// prints nothing and knows no flags of the command line.
package engine

import (
	"context"
	"fmt"
	"time"

	"dsync/changelog/logdb"
	"dsync/cmd/internal/opener"
	"dsync/cmd/internal/remote"
	"dsync/store"
)

// Mode is what a run does.
type Mode int

// The modes of a run.
const (
	Sync   Mode = iota // two-way
	OneWay             // sync -1: the destination gains, loses nothing
	Backup             // mirror: the destination becomes equal
)

// Algorithm is how a run finds what changed.
type Algorithm int

// The algorithms.
const (
	Fast     Algorithm = iota // fingerprints, then what the logs have seen
	Full                      // -f
	Stateful                  // -s STATE
	Auto                      // -s auto
)

// Filter limits a run (manual: -m -g -n -x -t -e -I -O).
type Filter struct {
	Mailboxes []string            // -m; names or special uses (\Sent)
	GUIDs     []store.MailboxGUID // -g
	TreeOnly  bool                // -m '' or -g ''
	Exclude   []string            // -x; masks or special uses
	Since     time.Time           // -t, inclusive; zero: none
	Before    time.Time           // -e, exclusive; zero: none
	MaxSize   int64               // -I, bytes; 0: none
	Flag      string              // -O; "" none; a flag or keyword
	FlagNot   bool                // -O with a leading '-'
}

// Options are those of one run.
type Options struct {
	User string // for messages; may be empty
	// Namespace is what another host is told besides the user of whose account is
	// meant; "": the user's mail.
	Namespace string
	// SpaceAt says, at the far end, where the mail of a namespace is; nil: there is none.
	SpaceAt   func(namespace string) (location string, err error)
	Near, Far string // locations: maildir:…
	// As is the user in whose name mail is read and written; nil: the process. The change
	// log is the process's.
	As        *opener.As
	ChangeLog string // directory of the database
	// Connect, if not nil, leads to the far end in another process, which has its own
	// location and change log: Far is but its name.
	Connect func(context.Context) (*remote.Link, error)
	// Part takes the link back from a run that leaves it in order; nil: it is closed.
	Part func(*remote.Link) error
	// DB is the database, if it is open already (OpenChangeLog): the run uses it and
	// leaves it open. Runs on different accounts may use it at once.
	DB         *logdb.DB
	Mode       Mode
	Reverse    bool // -R
	Algorithm  Algorithm
	State      string // with Stateful
	KeepState  bool   // -s auto, also under -f: the log keeps the state of the pair
	Filter     Filter
	LockWait   time.Duration // default 30 s; 0: not at all
	LogWait    time.Duration // for the change log, if that is longer: other accounts share it
	DryRun     bool
	MaxDelete  MaxDelete
	Policy     string            // name, or a policy file; "" = safe
	PolicyText string            // of a policy file that was read already; "": Run reads it
	SpecialUse map[string]string // mailbox name -> special use
	// LogAge and LogBytes limit the history that the change log keeps of an
	// account; 0: the default of 90 days and 256 MB; negative: no limit.
	LogAge   time.Duration
	LogBytes int64
	// Progress is called from time to time; may be nil.
	Progress func(Progress)
	// Notice receives one line each: errors, warnings, and debug lines.
	Notice func(Level, string)
	dots   *bool // as run.dots, where the far end is another process's
	// Fatal is called, from any goroutine, when the change log can go on no longer;
	// exit is the status that err calls for. It ends the process. nil: a panic.
	Fatal func(exit int, err error)
}

// Level is the weight of a notice.
type Level int

// The levels.
const (
	Debug Level = iota
	Info
	Warning
	Error
)

// MaxDelete is the safety brake (--max-delete): how much one run may expunge.
type MaxDelete struct {
	Off     bool
	Set     bool // given by the user; else the default of cli.md
	Count   int  // messages; -1: not limited by count
	Percent int  // of the account; -1: not limited by share
}

// Progress is where a run stands.
type Progress struct {
	Phase       string // "scan", "compare", "copy", "flags", "expunge", "log"
	Done, Total int64  // messages
	Bytes       int64
}

// Exit statuses (cli.md, sysexits).
const (
	ExitOK         = 0
	ExitInternal   = 1
	ExitAgain      = 2
	ExitUsage      = 64
	ExitData       = 65
	ExitNoUser     = 67
	ExitNoMailbox  = 68
	ExitNoSpace    = 73
	ExitTemp       = 75
	ExitPermission = 77
	ExitConfig     = 78
)

// Report is what a run did. Exit is one of the statuses above; Err, if not nil,
// is the reason why the run ended early.
type Report struct {
	Exit         int
	Err          error
	State        string // the line to print; may be empty
	Equal        bool
	Sides        [2]Side // near, far
	Conflicts    []Conflict
	Skipped      []Item // need a person
	Again        []Item // running again mends them
	Warnings     []string
	Cost         store.Cost
	Compared     int64  // entries_compared
	Plan         []Step // with DryRun or on request: what is to be done
	Duration     time.Duration
	RoundTrips   int
	MarkMismatch bool
}

// Side counts what was done to one side.
type Side struct {
	Location   string
	Copied     int64 // messages
	Bytes      int64
	Moved      int64
	Expunged   int64
	Flags      int64
	Renumbered int64
	Created    int64 // mailboxes
	Renamed    int64
	Deleted    int64
	Subscribed int64
	Attributes int64
}

// Step is one line of a plan.
type Step struct {
	Side    string     `json:"side"` // "near" or "far"
	Do      string     `json:"do"`   // "copy", "move", "expunge", "flags", "renumber", "create", "rename", "delete", "subscribe", …
	Mailbox store.Name `json:"mailbox,omitempty"`
	To      store.Name `json:"to,omitempty"`
	UID     store.UID  `json:"uid,omitempty"`
	GUID    store.GUID `json:"guid,omitempty"`
	What    string     `json:"what,omitempty"`
	Rule    int        `json:"rule,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}

func (s Step) String() string {
	out := s.Side + ": " + s.Do
	if s.Mailbox != "" {
		out += fmt.Sprintf(" %q", string(s.Mailbox))
	}
	if s.To != "" {
		out += fmt.Sprintf(" -> %q", string(s.To))
	}
	if s.UID != 0 {
		out += fmt.Sprintf(" uid %d", s.UID)
	}
	if s.GUID != "" {
		out += " " + string(s.GUID)
	}
	if s.What != "" {
		out += " " + s.What
	}
	if s.Rule != 0 {
		out += fmt.Sprintf(" (rule %d: %s)", s.Rule, s.Reason)
	}
	return out
}

// Conflict is one decision of a rule: both changes, and what became of them.
type Conflict struct {
	Rule    int        `json:"rule"`
	Name    string     `json:"name"`
	Mailbox store.Name `json:"mailbox,omitempty"`
	UID     store.UID  `json:"uid,omitempty"`
	GUID    store.GUID `json:"guid,omitempty"`
	Kept    string     `json:"kept"`
	Lost    string     `json:"lost"`
	Reason  string     `json:"reason"`
}

func (c Conflict) String() string {
	out := fmt.Sprintf("rule %d (%s)", c.Rule, c.Name)
	if c.Mailbox != "" {
		out += fmt.Sprintf(" %q", string(c.Mailbox))
	}
	if c.UID != 0 {
		out += fmt.Sprintf(" uid %d", c.UID)
	}
	if c.GUID != "" {
		out += " " + string(c.GUID)
	}
	return out + ": kept " + c.Kept + ", overrode " + c.Lost + ": " + c.Reason
}

// Item is one thing that was left undone.
type Item struct {
	Side    string     `json:"side"`
	Mailbox store.Name `json:"mailbox,omitempty"`
	GUID    store.GUID `json:"guid,omitempty"`
	What    string     `json:"what"`
	Reason  string     `json:"reason"`
	Exit    int        `json:"exit"`
}

func (i Item) String() string {
	out := i.Side + ":"
	if i.Mailbox != "" {
		out += fmt.Sprintf(" %q", string(i.Mailbox))
	}
	if i.GUID != "" {
		out += " " + string(i.GUID)
	}
	return out + " " + i.What + ": " + i.Reason
}
