package scenario

import (
	"errors"
	"fmt"
	"time"

	"dsync/fuzz/jsonfile"
	"dsync/store"
)

// File is one file of scenarios.
type File struct {
	Name      string      `json:"-"`
	Format    int         `json:"format"` // of the JSON: 1
	Scenarios []*Scenario `json:"scenarios"`
}

// Scenario is one history with its header.
type Scenario struct {
	Line int    `json:"-"` // where it begins; 0 if it was not read from text
	Name string `json:"name"`

	Notes    []string `json:"notes,omitempty"`
	Cells    []Cell   `json:"cells,omitempty"`  // of the matrix in conflicts.md
	Date     string   `json:"date,omitempty"`   // of a regression: when it was found
	Laws     []string `json:"laws,omitempty"`   // the laws that it is about
	Seed     string   `json:"seed,omitempty"`   // that found it
	Found    string   `json:"found,omitempty"`  // the engine on which
	Breaks   []Break  `json:"breaks,omitempty"` // engines that are known to break laws here
	Replicas []string `json:"replicas"`         // in order; two or more
	Topology Topology `json:"topology,omitempty"`
	Mode     Mode     `json:"mode,omitempty"`
	Policy   string   `json:"policy,omitempty"`

	Steps []Step `json:"steps"`
}

// Cell is a pair of kinds of operations, as "AP EX".
type Cell [2]string

// Break says that an engine is known to break laws in a scenario: a run on that
// engine passes if it breaks just these.
type Break struct {
	Engine string   `json:"engine"`
	Laws   []string `json:"laws"`
}

// Topology says which replicas meet in a sweep.
type Topology string

// The topologies. The zero value is Line.
const (
	Line Topology = "line" // each meets the next
	Ring Topology = "ring" // so do the last and the first
	Star Topology = "star" // the first meets each
	Mesh Topology = "mesh" // each meets each
)

// Mode is how a run is asked for.
type Mode string

// The modes. The zero value is Fast.
const (
	Fast    Mode = "fast"    // the default
	Full    Mode = "full"    // -f
	State   Mode = "state"   // -s, with the state of the pair's last run
	Stale   Mode = "stale"   // -s, with the state of the run before that
	Foreign Mode = "foreign" // -s, with the state of another pair
	Corrupt Mode = "corrupt" // -s, with a state that cannot be read
)

// Modes lists the modes.
func Modes() []Mode { return []Mode{Fast, Full, State, Stale, Foreign, Corrupt} }

// Verb is what a step does.
type Verb string

// The verbs: what clients do at a replica, what befalls a replica, runs, time, and
// expectations.
const (
	Deliver     Verb = "deliver"
	Copy        Verb = "copy"
	Move        Verb = "move"
	Expunge     Verb = "expunge"
	Flag        Verb = "flag"
	Replace     Verb = "replace"
	Create      Verb = "create"
	Rename      Verb = "rename"
	Delete      Verb = "delete"
	Subscribe   Verb = "subscribe"
	Unsubscribe Verb = "unsubscribe"
	Attribute   Verb = "attribute"
	UIDValidity Verb = "uidvalidity"
	UIDNext     Verb = "uidnext"

	Damage  Verb = "damage"
	Save    Verb = "save"
	Restore Verb = "restore"
	LoseLog Verb = "lose-log"
	Clone   Verb = "clone"
	Trim    Verb = "trim"
	Clock   Verb = "clock"

	Sync     Verb = "sync"
	OneWay   Verb = "oneway"
	Backup   Verb = "backup"
	Level    Verb = "level"
	Sweep    Verb = "sweep"
	Converge Verb = "converge"

	Tick Verb = "tick"

	Expect          Verb = "expect"
	ExpectConflicts Verb = "expect conflicts"
	ExpectExit      Verb = "expect exit"
)

// Step is one line of a history. Which fields a verb uses stands in LANGUAGE.md.
type Step struct {
	Line     int        `json:"-"`                 // 0 if it was not read from text
	Verb     Verb       `json:"do"`                //
	At       string     `json:"at,omitempty"`      // the replica; of a run the source; of Expect "all" or one
	With     string     `json:"with,omitempty"`    // the other replica of a run or Clone
	Message  string     `json:"message,omitempty"` // a content's name, or "#N", the N-th of the mailbox
	Mailbox  store.Name `json:"mailbox,omitempty"` //
	To       store.Name `json:"to,omitempty"`      // of Copy, Move, Rename
	Received Moment     `json:"received,omitzero"` // of Deliver; 0: what the engine gives
	Changes  []string   `json:"changes,omitempty"` // of Flag: "+\Seen", "-work"; of Replace: the new set
	Value    string     `json:"value,omitempty"`   // of Attribute, UIDValidity, Damage, Restore
	Span     Span       `json:"span,omitzero"`     // of Tick and Clock
	Run      *Run       `json:"run,omitempty"`     // of Sync, OneWay, Backup; nil: all defaults
	Shows    *Listing   `json:"shows,omitempty"`   // of Expect
	Numbers  []int      `json:"numbers,omitempty"` // of ExpectConflicts and ExpectExit
}

// Run is what is said of one run beyond its two replicas.
type Run struct {
	Mode    Mode         `json:"mode,omitempty"`
	Policy  string       `json:"policy,omitempty"`
	Only    []store.Name `json:"only,omitempty"`     // -m
	Except  []string     `json:"except,omitempty"`   // -x
	Since   Moment       `json:"since,omitzero"`     // -t
	Before  Moment       `json:"before,omitzero"`    // -e
	Cut     int          `json:"cut,omitempty"`      // the connection breaks at this frame, from 1
	Crash   string       `json:"crash,omitempty"`    // the replica whose end dies (AllReplicas: both) …
	CrashAt int          `json:"crash_at,omitempty"` // … at this write, from 1
	Power   string       `json:"power,omitempty"`    // what dies loses part of what was not durable, drawn from this seed
	Full    string       `json:"full,omitempty"`     // the replica whose disk is full …
	FullAt  int          `json:"full_at,omitempty"`  // … from this write on, from 1 …
	FullFor int          `json:"full_for,omitempty"` // … for so many writes
	Fail    string       `json:"fail,omitempty"`     // one effect in three fails, drawn from this seed
	Delay   string       `json:"delay,omitempty"`    // everything takes a while, drawn from this seed
	During  []Meanwhile  `json:"during,omitempty"`   // what happens in the middle of the run, in order
}

// Meanwhile is a step in the middle of a run: what a client does, a clock that jumps,
// or another run, which has no faults of its own.
type Meanwhile struct {
	At   int  `json:"at"` // before this moment of the run, from 1
	Step Step `json:"step"`
}

// MaxMoment is the highest number of a moment or frame.
const MaxMoment = 1 << 30

// AllReplicas names every replica, in expectations and crashes.
const AllReplicas = "all"

// Partial reports whether the run carries less than everything, or may end before
// its end.
func (r *Run) Partial() bool {
	return r != nil && (len(r.Only)+len(r.Except) > 0 || r.Since != 0 || r.Before != 0 || r.Faulty())
}

// Faulty reports whether the run is disturbed.
func (r *Run) Faulty() bool {
	return r != nil && (r.Cut > 0 || r.Crash != "" || r.Full != "" || r.Fail != "" || len(r.During) > 0)
}

// Moment is a second since 1970; 0 is none.
type Moment int64

// Time gives the moment in UTC.
func (m Moment) Time() time.Time { return time.Unix(int64(m), 0).UTC() }

func (m Moment) String() string {
	t := m.Time()
	if t.Hour()+t.Minute()+t.Second() == 0 {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

// MarshalText writes the moment as String does.
func (m Moment) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a date, or a time as RFC 3339 has it, between 1970 and 2100.
func (m *Moment) UnmarshalText(b []byte) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, string(b)); err == nil && t.Year() <= 2100 && t.Unix() > 0 {
			*m = Moment(t.Unix())
			return nil
		}
	}
	return fmt.Errorf("%.40q is no date (2026-01-31) or time (2026-01-31T10:00:00Z) between 1970 and 2100", b)
}

// Span is a length of time.
type Span time.Duration

func (s Span) String() string { return time.Duration(s).String() }

// MarshalText writes the span as String does.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a span such as 90s or -1h30m, at most ten years long.
func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || max(d, -d) > maxSpan {
		return fmt.Errorf("%.40q is no span of time such as 90s or -1h30m of at most ten years", b)
	}
	*s = Span(d)
	return nil
}

// Limits on what is taken.
const (
	maxFile      = 16 << 20
	maxScenarios = 10_000
	maxSteps     = 100_000
	maxReplicas  = 64
	maxWord      = 4096
	maxDuring    = 1000
	maxSpan      = 10 * 365 * 24 * time.Hour
)

// Error is what is wrong with a file.
type Error = jsonfile.Error

// Check says what is wrong with a step of the scenario; nil if nothing is.
func (s *Scenario) Check(t *Step) error {
	if bad := s.checkStep(t); bad != nil {
		return errors.New(bad.reason)
	}
	return nil
}

// Pairs lists who meets whom in one sweep there and back, for n replicas.
func (t Topology) Pairs(n int) (out [][2]int) {
	switch t {
	case Star:
		for i := 1; i < n; i++ {
			out = append(out, [2]int{0, i})
		}
	case Mesh:
		for i := range n {
			for j := i + 1; j < n; j++ {
				out = append(out, [2]int{i, j})
			}
		}
	default:
		for i := 1; i < n; i++ {
			out = append(out, [2]int{i - 1, i})
		}
		if t == Ring && n > 2 {
			out = append(out, [2]int{n - 1, 0})
		}
	}
	for i := len(out) - 2; i >= 0 && n > 2; i-- {
		out = append(out, out[i])
	}
	return out
}
