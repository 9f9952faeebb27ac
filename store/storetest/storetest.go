// Package storetest is the conformance suite that every mail store passes.
//
// # Contract
//
//   - Run checks the promises made in the comments of package store, one subtest
//     a promise. What a store says it cannot do (Capabilities) is not asked of it.
//   - A name, keyword or size beyond the common ones may be refused with
//     ErrUnsupported; what is accepted must work in full.
//   - Each check gets an account of its own. Bodies and the like come from a seed
//     that every failure names; DSYNC_SEED repeats it.
//   - Run ends with a state machine: random changes made to the store under test
//     and to store/memory leave equal Dumps.
//   - Dump and DumpBodies list any store canonically.
//
// Three readings of the interface that the suite takes: a \Noselect parent goes
// with its last child; INBOX is neither renamed nor deleted (ErrUnsupported); what
// a closed opening had staged is what a dead run staged.
package storetest

import (
	"os"
	"strconv"
	"testing"
	"time"

	"dsync/store"
)

// Instance is a new and empty account, opened for writing, and what the suite
// may do with it besides. All but Store may be nil or empty.
type Instance struct {
	Store store.Store
	// Client changes the account from outside, as other programs do.
	Client Client
	// Reopen opens the same account once more, as another run would. The suite
	// closes what it gives.
	Reopen func(readOnly bool) (store.Store, error)
	// Holder is what the ErrBusy of another opening must contain: it names
	// Store's run.
	Holder string
}

// Factory makes an account; dir is an empty directory that it may use, removed
// by the suite.
type Factory func(dir string) (*Instance, error)

// Client does what a mail client or delivery agent does. A method that the
// backend has no way for returns an error that wraps store.ErrUnsupported.
type Client interface {
	// Deliver makes a message and gives its key (store.Message.Key).
	Deliver(n store.Name, body []byte, f store.Flags, received time.Time) (key string, err error)
	SetFlags(n store.Name, key string, f store.Flags) error
	// Move moves a message and gives the key that it has then.
	Move(from store.Name, key string, to store.Name) (newKey string, err error)
	Expunge(n store.Name, key string) error
	CreateMailbox(n store.Name) error
	DeleteMailbox(n store.Name) error
	RenameMailbox(from, to store.Name) error
	Subscribe(n store.Name, on bool) error
}

// check is one promise; f is an account of its own.
type check struct {
	name string
	run  func(f *fixture)
}

func allChecks() []check {
	var all []check
	for _, group := range [][]check{
		treeChecks, nameChecks, renameChecks, stageChecks, applyChecks, uidChecks,
		moveChecks, scanChecks, lookChecks, bodyChecks, runChecks, outsideChecks, watchChecks,
	} {
		all = append(all, group...)
	}
	return all
}

// Run checks a store.
func Run(t *testing.T, factory Factory) {
	Checks(t, factory)
	t.Run("Model", func(t *testing.T) { runModel(t, factory) })
}

// Checks is Run without random histories.
func Checks(t *testing.T, factory Factory) {
	seed := seed()
	for _, c := range allChecks() {
		t.Run(c.name, func(t *testing.T) { runCheck(t, factory, t.TempDir(), seed, c) })
	}
}

// seed is DSYNC_SEED, or one of its own for each run.
func seed() uint64 {
	if s, err := strconv.ParseUint(os.Getenv("DSYNC_SEED"), 10, 64); err == nil {
		return s
	}
	return uint64(time.Now().UnixNano())
}

func runCheck(t tb, factory Factory, dir string, seed uint64, c check) {
	t.Helper()
	in, err := factory(dir)
	if err != nil {
		t.Fatalf("make the account: %v", err)
	}
	f := newFixture(t, in, seed)
	defer in.Store.Close()
	c.run(f)
}
