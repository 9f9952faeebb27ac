package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"dsync/changelog/logdb"
	"dsync/fuzz/live"
	"dsync/store"
	"dsync/store/memory"
)

// replica is one account with its change log.
type replica struct {
	w     *sessions
	mail  *live.Account
	log   keeping
	db    *logdb.DB // open on log; nil: not yet
	saved keeping   // of the last save
	bare  bool      // that save was of mail that no run had marked
	skew  time.Duration
	seqs  *modSeqs  // what clients know of modseqs; nil: nothing
	under *underway // the run that has it
	told  uint64    // events of the log that were read for their kinds
}

// time is the replica's clock.
func (r *replica) time() time.Time { return r.w.Time().Add(r.skew) }

func (r *replica) micros() int64 { return r.time().UnixMicro() }

// open opens the log.
func (r *replica) open() (*logdb.DB, error) {
	if r.db != nil {
		return r.db, nil
	}
	var o logdb.Options
	r.log.open(&o)
	if r.w.set.Log != nil {
		r.w.set.Log(&o)
	}
	db, err := logdb.Open("log", o)
	r.db = db
	return db, err
}

// shut closes the log; another may take its place then.
func (r *replica) shut() error {
	if r.db == nil {
		return nil
	}
	err := r.db.Close()
	r.db = nil
	if errors.Is(err, logdb.ErrDead) {
		err = nil // a run of this world killed it
	}
	return err
}

// replace puts another log in the place of the one there is.
func (r *replica) replace(log keeping) error {
	err := r.shut()
	r.log, r.seqs, r.told = log, nil, 0
	return err
}

// die is the death of what has mail and log open; power: of the machine, which loses
// part of what was not durable.
func (r *replica) die(power *rand.Rand) error {
	r.log.watch(nil)
	log := r.log.copied()
	if power != nil {
		log = r.log.crashed(power)
	}
	err := r.shut()
	r.log, r.told = log, 0
	r.mail.Crash(power != nil)
	return err
}

// reopen opens a log anew that a full disk may have stopped.
func (r *replica) reopen() error {
	r.log.watch(nil)
	log := r.log.copied()
	err := r.shut()
	r.log, r.told = log, 0
	return err
}

// account finds the account of the log; nil: there is none.
func (r *replica) account() (*logdb.Account, error) {
	db, err := r.open()
	if err != nil {
		return nil, err
	}
	st, err := r.mail.Open()
	if err != nil {
		return nil, err
	}
	defer st.Close()
	id, _, ok, err := db.Lookup(st.Location())
	if err != nil || !ok {
		return nil, err
	}
	return db.Account(id)
}

// store opens the mail for a run that is told of each access.
func (r *replica) store(at func(write bool, op, item string) error) (store.Store, error) {
	memory := r.mail.SetFail(func(op string, _ store.Name, item string) error { return at(memory.IsWrite(op), op, item) })
	defer r.mail.SetFail(nil)
	st, err := r.mail.Open()
	if err != nil || memory {
		return st, err
	}
	s := &stepped{st, at}
	if w, ok := st.(store.Watcher); ok {
		return &struct {
			*stepped
			store.Watcher
		}{s, w}, nil
	}
	return s, nil
}

// save keeps mail and log as they are.
func (r *replica) save() error {
	if err := r.shut(); err != nil {
		return err
	}
	marked, err := r.marked()
	if err != nil {
		return err
	}
	r.saved, r.bare = r.log.copied(), !marked
	return r.mail.Save()
}

// marked reports whether a run has left its mark in the mail.
func (r *replica) marked() (bool, error) {
	st, err := r.mail.Open()
	if err != nil {
		return false, err
	}
	defer st.Close()
	_, marked, err := st.Mark()
	return marked, err
}

// restore brings back what was saved; what is mail, log, or "" for both. Mail without a
// mark beside a log that knows one is a loss, for which there is the safety brake; runs
// here have none.
func (r *replica) restore(what string) error {
	if r.saved == nil || r.bare && what == "mail" {
		return nil
	}
	if what != "mail" {
		if err := r.replace(r.saved.copied()); err != nil {
			return fmt.Errorf("restore the log: %w", err)
		}
	}
	r.seqs = nil
	if what == "log" {
		return nil
	}
	return r.mail.Restore()
}

// clone makes the mail a copy of another replica's, which must have been in a run: an
// empty store in the place of one that the log knows would be a loss, not a copy.
func (r *replica) clone(from *replica) error {
	if marked, err := from.marked(); err != nil || !marked {
		return err
	}
	r.seqs = nil
	r.mail.Reconnect()
	return r.mail.Become(from.mail)
}

// trim drops the history of the log.
func (r *replica) trim() error {
	acc, err := r.account()
	if err != nil || acc == nil {
		return err
	}
	_, err = acc.Trim(r.micros(), 0)
	return err
}

func (r *replica) close() error { return errors.Join(r.shut(), r.mail.Close()) }
