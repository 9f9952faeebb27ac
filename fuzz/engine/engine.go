// Package engine plays the steps of scenarios (fuzz/scenario) on what keeps mail
// and what synchronises it: the merge alone, whole sessions over memory or
// Maildirs, Maildirs that Dovecot changes, or a synchroniser that is not ours.
//
// # Contract
//
//   - An Engine makes Worlds; a World is some replicas that hold an INBOX each and
//     nothing else. Worlds share nothing.
//   - Do and Sync make one step. A step that does not apply does nothing and is no
//     error. A step that the engine has no means for is ErrUnsupported.
//   - List is what a client sees at that moment. It changes nothing that a client
//     could see; UIDs may be given to new mail by it, as by any client's look.
//   - An engine judges nothing: that is fuzz/lab, which sees Listings and Reports
//     alone. An engine that does know laws (the merge alone does) adds them to its
//     Report.
//   - A World is used by one goroutine.
package engine

import (
	"errors"
	"fmt"
	"slices"

	"dsync/changelog/logdb"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// Engine makes worlds.
type Engine interface {
	// Name is how the engine is called in files and on the command line.
	Name() string
	// Start makes a world. The caller closes it.
	Start(Setup) (World, error)
}

// Setup is what a world is to be.
type Setup struct {
	Replicas []string
	Policy   *merge.Policy // of runs that name none; nil: safe
	Mode     scenario.Mode // of runs that name none
	Seed     uint64
	// Policies finds a policy that a run names; nil: merge.PolicyByName.
	Policies func(string) (*merge.Policy, error)
	// Pebble keeps the logs of whole sessions in Pebble, instead of on ordered disks
	// in memory, which are a hundred times cheaper and repeat to the byte.
	Pebble bool
	// Log changes how logs are opened: for mutants. nil: nothing.
	Log func(*logdb.Options)
}

// World is some replicas.
type World interface {
	// Do makes a client's operation, what befalls a replica, or Tick.
	Do(scenario.Step) error
	// Sync makes a run between two replicas.
	Sync(scenario.Step) (Report, error)
	// List is what a client sees at a replica.
	List(replica string) (*scenario.Listing, error)
	// Close ends the world and removes what it made.
	Close() error
}

// Report is what a run says of itself.
type Report struct {
	Exit      int        `json:"exit"`                // as dsync and doveadm have them
	Conflicts []Conflict `json:"conflicts,omitempty"` // that it reports
	// Known says that the engine reports conflicts at all.
	Known bool `json:"known"`
	// Broken are laws that the engine itself saw broken, each as "P6: what".
	Broken []string `json:"broken,omitempty"`
	// Bytes is what crossed, if the engine counts it; else -1.
	Bytes int64  `json:"bytes"`
	Says  string `json:"says,omitempty"` // messages of the run, for people
	// News are the kinds of changes (rows of the matrix of conflicts) that each side
	// brings and the other has not seen, where the engine can tell.
	News [2]map[string]bool `json:"-"`
	// Events are what the step says is to happen in the middle of the run, as it
	// happened.
	Events []Event `json:"-"`
}

// Conflict is one decision by a rule.
type Conflict struct {
	Rule    int    `json:"rule"`
	Mailbox string `json:"mailbox,omitempty"`
	Kept    string `json:"kept,omitempty"`
	Lost    string `json:"lost,omitempty"`
	Reason  string `json:"reason,omitempty"`
	GUID    string `json:"guid,omitempty"` // of the message that it is about, if it is about one
}

// ErrUnsupported: the engine has no means for a step.
var ErrUnsupported = errors.New("the engine cannot do this")

// unsupported names the step.
func unsupported(s scenario.Step) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, s)
}

// index finds a replica.
func (s Setup) index(replica string) int { return slices.Index(s.Replicas, replica) }

// policy is that of a run.
func (s Setup) policy(r *scenario.Run) (*merge.Policy, error) {
	if r == nil || r.Policy == "" {
		if s.Policy == nil {
			return merge.Safe, nil
		}
		return s.Policy, nil
	}
	if s.Policies != nil {
		return s.Policies(r.Policy)
	}
	return merge.PolicyByName(r.Policy)
}

// mode is that of a run.
func (s Setup) mode(r *scenario.Run) scenario.Mode {
	switch {
	case r != nil && r.Mode != "":
		return r.Mode
	case s.Mode != "":
		return s.Mode
	}
	return scenario.Fast
}

// conflicts takes over what a merge decided.
func conflicts(ds []merge.Decision) (out []Conflict) {
	for _, d := range ds {
		out = append(out, Conflict{d.Rule, string(d.Mailbox), d.Kept, d.Lost, d.Reason, string(d.GUID)})
	}
	return out
}
