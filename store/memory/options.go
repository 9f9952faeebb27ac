package memory

import (
	"math"
	"time"

	"dsync/store"
)

// Options says what the account can do and where time and chance come from.
// The zero value is an account with every capability, a clock that ticks one
// second a call from 2026-01-01, and seed 0.
type Options struct {
	Name  string           // Location is "memory:" and Name
	Owner string           // names this opening in another's ErrBusy; default "memory"
	Seed  uint64           // of GUIDs, keys and fingerprints
	Clock func() time.Time // must not use the store
	After func(time.Duration) <-chan time.Time

	// Capabilities replaces AllCapabilities.
	Capabilities *store.Capabilities
	// LateUIDs: mailboxes and messages made by the Client have no identity and
	// no UID until Apply or Client.AssignUIDs gives them, as on a Maildir that a
	// delivery agent writes into.
	LateUIDs bool
	// Racy makes every look racy.
	Racy bool
	// Grain is the clock's grain: changes within it show the same fingerprint,
	// and looks within it are Racy. Zero: every change shows.
	Grain time.Duration

	// Fail is called before each step; an error makes that step fail. See IsWrite
	// and StopAt.
	Fail func(op string, mailbox store.Name, item string) error
	// Hook is called before each step, before Fail.
	Hook func(op string)
}

// AllCapabilities is what a Store can do unless told otherwise.
func AllCapabilities() store.Capabilities {
	return store.Capabilities{
		AssignUIDs: true, KeepGUIDs: true, MailboxGUIDs: true, ModSeqs: true,
		Attributes: true, Subscriptions: true, AtomicMove: true, Link: true,
		Keywords: -1, MaxMessageSize: math.MaxInt64,
	}
}

// The steps, as Hook and Fail see them. item is the key of the message, the
// target name of a rename, the key of an attribute, or "".
const (
	OpTree       = "tree"      // also a look at the tree
	OpLook       = "look"      // at a mailbox
	OpStatus     = "status"    //
	OpScan       = "scan"      // before the listing
	OpScanned    = "scanned"   // after the listing, before it is looked at again
	OpDescribe   = "describe"  // one message; an error makes it a Skip
	OpOpen       = "open"      //
	OpFind       = "find"      //
	OpApply      = "apply"     // before an Apply; itself no write
	OpStage      = "stage"     //
	OpStageLink  = "stagelink" //
	OpSync       = "sync"      //
	OpUnstage    = "unstage"   //
	OpCleanup    = "cleanup"   //
	OpAdd        = "add"       // and the following: the steps of an Apply
	OpIn         = "in"        //
	OpFlags      = "flags"     //
	OpUIDs       = "uids"      // one UIDChange is judged; it takes effect with bind
	OpBind       = "bind"      // an error ends the Apply
	OpExpunge    = "expunge"   //
	OpAttributes = "attributes"
	OpCreate     = "create"
	OpRename     = "rename" // once for each move, before any is made
	OpDelete     = "delete"
	OpSubscribe  = "subscribe" // and unsubscribe
	OpAttribute  = "attribute" // of the account
	OpMark       = "mark"
)

// IsWrite reports whether the step changes the account.
func IsWrite(op string) bool {
	switch op {
	case OpTree, OpLook, OpStatus, OpScan, OpScanned, OpDescribe, OpOpen, OpFind, OpApply:
		return false
	}
	return true
}

// StopAt gives a Fail function that lets n writes pass and then stops
// everything, reads too, with err: the crash at the n-th write. A Store that
// has stopped shows nothing more; look at it through Clone, Crash or Reopen.
func StopAt(n int, err error) func(string, store.Name, string) error {
	writes := newCounter()
	return func(op string, _ store.Name, _ string) error {
		if IsWrite(op) && writes.next() > n || writes.value() > n {
			return err
		}
		return nil
	}
}
