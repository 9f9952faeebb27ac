package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/changelog/recorder"
	"dsync/cmd/internal/opener"
	"dsync/merge"
	"dsync/replay"
	"dsync/store"
)

// checker is one check under way.
type checker struct {
	ctx  context.Context
	o    CheckOptions
	st   store.Store
	db   *logdb.DB
	acc  *logdb.Account
	rep  *CheckReport
	tree *changelog.Tree
	lay  *changelog.Layout
	rows map[store.MailboxGUID]*logdb.Mailbox
	// sums are count and digest as the records have them.
	sums map[store.MailboxGUID]*sum
	// With Repair: what a batch is to write.
	distrust map[store.MailboxGUID]bool
	unhold   []*logdb.Record
	relist   bool
}

type sum struct {
	count  uint64
	digest changelog.Digest
}

func doCheck(ctx context.Context, o CheckOptions) *CheckReport {
	c := &checker{ctx: ctx, o: o, rep: &CheckReport{}, distrust: map[store.MailboxGUID]bool{}}
	err := c.run()
	if c.db != nil {
		err = errors.Join(err, c.db.Close())
	}
	if c.st != nil {
		err = errors.Join(err, c.st.Close())
	}
	c.rep.Err = err
	c.rep.Exit = ExitOf(err)
	if err == nil {
		c.rep.Exit = c.verdict()
	}
	return c.rep
}

func (c *checker) verdict() int {
	exit := ExitOK
	for _, f := range c.rep.Findings {
		if !f.Repaired {
			return ExitData
		}
		exit = ExitAgain
	}
	return exit
}

func (c *checker) notice(l Level, format string, args ...any) {
	if c.o.Notice != nil {
		c.o.Notice(l, fmt.Sprintf(format, args...))
	}
}

// find notes a finding and gives its place, for what mends it.
func (c *checker) find(n store.Name, g store.GUID, repaired bool, format string, args ...any) {
	c.rep.Findings = append(c.rep.Findings, Finding{Mailbox: n, GUID: g, What: fmt.Sprintf(format, args...), Repaired: repaired})
}

func (c *checker) run() (err error) {
	if c.db, err = openLog(c.ctx, c.o.ChangeLog, !c.o.Repair, c.o.LockWait); err != nil {
		return err
	}
	open := opener.Look
	if c.o.Repair {
		open = opener.Open
	}
	st, err := open(c.o.Location, c.o.As)
	if err != nil {
		return err
	}
	c.st = st
	if c.o.Repair {
		unlock, err := c.st.Lock(c.ctx, c.o.LockWait)
		if err != nil {
			return fmt.Errorf("lock %s: %w", c.st.Location(), err)
		}
		defer unlock()
	}
	c.acc, err = findAccount(c.db, c.o.Location, c.o.As)
	var damage *changelog.CorruptError
	if errors.As(err, &damage) {
		return c.lost(damage.Error())
	}
	if err != nil {
		return err
	}
	if c.acc == nil {
		return fmt.Errorf("the change log knows no account at %s: %w", c.o.Location, store.ErrGone)
	}
	if whole, err := c.entries(); err != nil || !whole {
		return err
	}
	for _, step := range []func() error{c.intents, c.load, c.sumUp, c.mailboxes, c.messages, c.write} {
		if err := step(); err != nil {
			return err
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// lost: the head of the account is unreadable. A run would begin anew; so does a
// repair.
func (c *checker) lost(what string) error {
	if !c.o.Repair {
		c.find("", "", false, "%s", what)
		return nil
	}
	name, err := opener.Name(c.o.Location)
	if err != nil {
		return err
	}
	id, _, ok, err := c.db.Lookup(name)
	if err == nil && ok {
		err = c.db.DropAccount(id)
	}
	c.find("", "", err == nil && ok, "%s; the account begins anew", what)
	return err
}

// entries reads all of the account; false: it cannot be gone on with.
func (c *checker) entries() (bool, error) {
	problems, err := c.acc.Check()
	if err != nil {
		return false, err
	}
	index, gone := 0, 0
	for _, p := range problems {
		if p.Index {
			index++
		} else {
			gone++
		}
	}
	if gone > 0 {
		mended := false
		if c.o.Repair {
			if err := c.db.DropAccount(c.acc.ID()); err != nil {
				return false, err
			}
			mended = true
		}
		for _, p := range problems {
			if !p.Index {
				c.find("", "", mended, "the change log is damaged: %v", p)
			}
		}
		return false, nil
	}
	if index > 0 && c.o.Repair {
		if err := c.acc.Rebuild(); err != nil {
			return false, err
		}
	}
	for _, p := range problems {
		c.find("", "", c.o.Repair, "the change log's index is wrong: %v", p)
	}
	return index == 0 || c.o.Repair, nil
}

// intents are what a run that died left. That is no damage, but nothing can be
// compared before it is settled.
func (c *checker) intents() error {
	in, err := c.acc.Intents()
	if err != nil || len(in) == 0 {
		return err
	}
	if c.o.Repair {
		err = replay.Settle(c.ctx, c.st, c.acc, merge.Safe)
	}
	c.find("", "", c.o.Repair && err == nil, "%d intents of a run that did not end are not settled", len(in))
	return err
}

func (c *checker) load() (err error) {
	if c.tree, err = c.acc.LoadTree(); err != nil {
		return err
	}
	live, err := liveIn(c.acc)
	if err != nil {
		return err
	}
	c.lay = c.tree.Layout(live)
	rows, err := c.acc.Mailboxes()
	if err != nil {
		return err
	}
	c.rows = map[store.MailboxGUID]*logdb.Mailbox{}
	for _, r := range rows {
		c.rows[r.GUID] = r
		if c.tree.Node(r.GUID) == nil {
			c.find(r.Path, "", false, "the change log has a mailbox that its tree does not know")
		}
	}
	return nil
}

// sumUp computes counts and digests from the records.
func (c *checker) sumUp() error {
	c.sums = map[store.MailboxGUID]*sum{}
	for g := range c.rows {
		c.sums[g] = &sum{}
	}
	unheld := 0
	err := c.acc.AllRecords(func(r *logdb.Record) error {
		if r.Mailbox.IsZero() {
			if r.Live() {
				unheld++
			}
			return c.ctx.Err()
		}
		s := c.sums[r.Mailbox]
		if s == nil {
			c.find("", r.Content.GUID, false, "is held in a mailbox that the change log does not have")
			return nil
		}
		s.count++
		s.digest.Add(r.Digest())
		return c.ctx.Err()
	})
	if unheld > 0 {
		c.notice(Info, "%d messages are known and not held; the next run fetches them", unheld)
	}
	for g, s := range c.sums {
		row := c.rows[g]
		if row.Count != s.count || row.Digest != s.digest {
			c.find(row.Path, "", c.o.Repair, "the change log counts %d messages, digest %v; its records are %d, digest %v", row.Count, row.Digest, s.count, s.digest)
			c.distrust[g] = true
		}
	}
	return err
}

// mailboxes compares the tree with the store.
func (c *checker) mailboxes() error {
	look, err := c.st.TreeLook(c.ctx)
	if err != nil {
		return err
	}
	known := c.acc.Meta().TreeLook
	t, _, err := c.st.Tree(c.ctx)
	if err != nil {
		return err
	}
	wrong := func(n store.Name, what string) {
		if known.Racy || look.Racy || !bytes.Equal(known.Print, look.Print) {
			c.notice(Info, "%q: %s; the next run takes it up", string(n), what)
			return
		}
		c.find(n, "", c.o.Repair, "%s", what)
		c.relist = true
	}
	there := map[store.Name]bool{}
	for _, i := range t.Mailboxes {
		there[i.Name] = true
		s := c.lay.ByPath[i.Name]
		switch {
		case s == nil || !s.Shown:
			wrong(i.Name, "the store has this mailbox, the change log does not")
		case (s.Holder == nil) != i.NoSelect:
			wrong(i.Name, "holds mail on one side only, store or change log")
		}
	}
	for _, s := range c.lay.Slots {
		if s.Shown && !there[s.Path] {
			wrong(s.Path, "the change log has this mailbox, the store does not")
		}
	}
	return nil
}

// write makes the repairs that concern entries, in one durable batch.
func (c *checker) write() error {
	if !c.o.Repair || len(c.distrust) == 0 && !c.relist && len(c.unhold) == 0 {
		return nil
	}
	b, m := c.acc.Batch(), c.acc.Meta()
	for _, r := range c.unhold {
		old := r.Clone()
		s := c.sums[r.Mailbox]
		s.count--
		s.digest.Sub(r.Digest())
		m.HighestMod++
		if r.ModSeq = m.HighestMod; r.UID != 0 {
			b.AddVanished(nowMicros(), r.Mailbox, m.HighestMod, []store.UID{r.UID})
		}
		r.Unhold()
		b.PutRecord(old, r)
	}
	for g := range c.distrust {
		row := c.rows[g]
		row.Count, row.Digest = c.sums[g].count, c.sums[g].digest
		recorder.Distrust(b, row)
	}
	if c.relist {
		m.TreeLook = store.Look{}
	}
	if len(c.unhold) > 0 {
		m.Flags |= recorder.FlagUnheld
	}
	b.PutMeta(&m)
	return b.Commit(true)
}

// settled reports whether nobody changed a mailbox since the log last looked.
func settled(a, b store.Look) bool { return !a.Racy && !b.Racy && bytes.Equal(a.Print, b.Print) }
