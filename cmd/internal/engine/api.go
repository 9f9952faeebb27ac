package engine

import (
	"context"
	"dsync/cmd/internal/opener"
	"time"

	"dsync/merge"
	"dsync/store"
)

// This file is the boundary: what the program calls. Every function may be
// cancelled through its context and then ends cleanly with ExitTemp. None of them
// prints; none of them opens a database that is not there yet, but Run.

// Run makes one run between two locations. It never returns nil. In the Report:
//
//   - Exit is set, also when Err is; with DryRun it is ExitOK whatever the plan
//     holds, unless planning itself failed.
//   - State is what the program prints: the new state; after a failure
//     Options.State, if nothing was done; "" if only a full comparison is safe.
//     With KeepState it is ignored.
//   - Warnings were not given to Notice, Skipped and Again neither: the program
//     prints them. Notice is for what should be seen at once (Debug, Info).
func Run(ctx context.Context, o Options) *Report { return doRun(ctx, o) }

// LogOptions say which account's change log is looked into.
type LogOptions struct {
	User      string
	Location  string
	As        *opener.As   // as Options.As
	ChangeLog string       // directory of the database
	Mailboxes []store.Name // -m; none: all
	Since     time.Time    // zero: from the beginning
	// Headers adds Subject and From to the lines of conflicts.
	Headers bool
	Notice  func(Level, string)
}

// LogLine is one entry of the change log, oldest first. Of a conflict Event is
// "conflict" and Dot that of the message, if it is about one.
type LogLine struct {
	Time    time.Time  `json:"time"`            // when this log learned of it
	Made    time.Time  `json:"made,omitzero"`   // when it was made, if that is over a second off
	Dot     string     `json:"dot"`             // replica, epoch, sequence number
	Origin  string     `json:"origin"`          // "here", or the replica it came from
	Event   string     `json:"event"`           // "deliver", "found", "flags", "move", …
	Mailbox store.Name `json:"mailbox"`         //
	To      store.Name `json:"to,omitempty"`    // of a move or rename
	UID     store.UID  `json:"uid,omitempty"`   //
	GUID    store.GUID `json:"guid,omitempty"`  //
	What    string     `json:"what,omitempty"`  // before -> after
	Cause   string     `json:"cause,omitempty"` // dot that it follows from
	// Overrode is set if a rule decided against another change here.
	Overrode *Conflict `json:"overrode,omitempty"`
	// Subject and From of the message, with LogOptions.Headers.
	Subject string `json:"subject,omitempty"`
	From    string `json:"from,omitempty"`
}

// Log hands every entry to each, until each returns an error, which it passes on.
// A location that no log knows is an error wrapping store.ErrGone; a mailbox in
// Mailboxes that the log never held, one wrapping store.ErrNoMailbox, before the
// first entry. Mailboxes are named as they were when it happened. Since counts by
// Time.
func Log(ctx context.Context, o LogOptions, each func(LogLine) error) error {
	return doLog(ctx, o, each)
}

// CheckOptions say what is checked.
type CheckOptions struct {
	User      string
	Location  string
	As        *opener.As // as Options.As
	ChangeLog string
	Repair    bool
	LockWait  time.Duration
	Notice    func(Level, string)
}

// Finding is one thing that is not as it should be.
type Finding struct {
	Mailbox  store.Name `json:"mailbox,omitempty"`
	GUID     store.GUID `json:"guid,omitempty"`
	What     string     `json:"what"`
	Repaired bool       `json:"repaired"`
}

// CheckReport is what a check found. Exit: ExitOK sound, ExitAgain all repaired,
// ExitData damage left, or that of Err.
type CheckReport struct {
	Exit     int
	Err      error
	Findings []Finding
}

// Check compares change log, view and store. Without Repair it changes nothing.
//
// A mailbox that another program changed since the last look is no finding: the
// next run takes that up. It is given to Notice. In all other mailboxes store and
// log must agree message by message.
//
// What is repaired is repaired so that nothing is lost: mail that the log holds
// and the store lacks is fetched again by the next run, not deleted elsewhere. An
// account whose log cannot be read is dropped from it, and is looked at by the
// next run as one without history: then what was deleted on one side only since
// the last run may come back.
func Check(ctx context.Context, o CheckOptions) *CheckReport { return doCheck(ctx, o) }

// ModSeqs is what a change log adds to the listing of its store. Mailboxes and
// messages that it does not know have ok == false.
type ModSeqs interface {
	Replica() string
	Highest(store.Name) (m store.ModSeq, ok bool)
	Of(n store.Name, uid store.UID, guid store.GUID) (m store.ModSeq, ok bool)
	Close() error
}

// OpenModSeqs opens the log of a location for reading; nil without error if there
// is no log that knows it. It waits for nobody: a database that another process
// holds is an error wrapping store.ErrBusy.
func OpenModSeqs(ctx context.Context, o LogOptions) (ModSeqs, error) { return openModSeqs(ctx, o) }

// Unshown gives the keywords that a message has in the change log alone, for its
// mailbox in the store has no room for them; nil if there are none.
type Unshown func(n store.Name, uid store.UID, guid store.GUID) []string

// ReadUnshown reads them out of the log of a location; where there is no log there are
// none. Like OpenModSeqs it waits for nobody.
func ReadUnshown(ctx context.Context, o LogOptions) (Unshown, error) { return readUnshown(ctx, o) }

// Policies names the built-in policies, the default first.
func Policies() []string { return merge.PolicyNames() }
