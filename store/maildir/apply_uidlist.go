package maildir

import (
	"errors"
	"sort"

	"dsync/store"
)

// search gives the index of the line with the UID, -1 if there is none.
func (l *uidList) search(uid store.UID) int {
	i := sort.Search(len(l.recs), func(i int) bool { return l.recs[i].uid >= uid })
	if i < len(l.recs) && l.recs[i].uid == uid {
		return i
	}
	return -1
}

// slack is how many dead lines a uidlist may hold beyond a quarter of the live
// ones before it is written anew. (Dovecot does so on its next visit; but a
// backup may never see one.)
const slack = 256

// writeUIDList writes what changed: lines at the end if that is all, else a new
// file.
func (a *applier) writeUIDList() error {
	e := a.edit
	if err := a.leave(); err != nil {
		return err
	}
	a.header()
	if !a.list.present && len(e.added) == 0 && !e.header {
		return nil
	}
	e.sort()
	if a.mustCompact() {
		// If the mailbox does not hold still: another time.
		if _, err := a.compact(); err != nil {
			return err
		}
	}
	if e.appendable() {
		if len(e.added) == 0 {
			return nil
		}
		return a.appendLines(e.tail())
	}
	for _, i := range a.expunged {
		e.drop[i] = true
	}
	// The lines at the end may be among those dropped: the number outlives them.
	if !a.newValidity() {
		e.hdr.next = max(e.hdr.next, a.list.next())
	}
	for _, l := range e.added {
		e.hdr.next = max(e.hdr.next, l.uid+1)
	}
	if a.newValidity() {
		if err := a.s.raiseUIDValidity(a.c.UIDValidity); err != nil {
			return err
		}
	}
	if e.hdr.valid == 0 {
		v, err := a.s.nextUIDValidity()
		if err != nil {
			return err
		}
		e.hdr.valid = v
	}
	return a.s.replace(a.b.ctl, uidlistName, e.encode(), a.b.ctlPerms)
}

// leave drops, before a new UIDVALIDITY, the lines of messages that are gone or go
// now: UIDNEXT is then what was asked for, and not above a UID of the old period.
func (a *applier) leave() error {
	if !a.newValidity() {
		return nil
	}
	for _, i := range a.expunged {
		a.edit.drop[i] = true
	}
	wished := make(map[int]bool, len(a.wishes))
	for _, w := range a.wishes {
		wished[w.line] = wished[w.line] || w.err == nil
	}
	for i := range a.list.recs {
		if a.edit.drop[i] || wished[i] {
			continue
		}
		dead, err := a.dead(i)
		if err != nil {
			return err
		}
		if dead {
			a.edit.drop[i] = true
		}
	}
	return nil
}

// header takes in the change's header fields.
func (a *applier) header() {
	e, c := a.edit, a.c
	if !c.GUID.IsZero() && c.GUID != e.hdr.guid {
		e.hdr.guid, e.header = c.GUID, true
	}
	if c.UIDValidity != 0 && c.UIDValidity != e.hdr.valid {
		e.hdr.valid, e.hdr.next, e.header = c.UIDValidity, a.nextUID(), true
		return
	}
	if c.UIDNext > a.nextUID() {
		e.hdr.next, e.header = c.UIDNext, true
	}
}

// mustCompact: too many lines stand for messages that are gone.
func (a *applier) mustCompact() bool {
	if a.gone == 0 {
		return false
	}
	live := max(a.s.lastCount(a.b.name), a.c.Held)
	return len(a.list.recs) > live+live/4+slack+len(a.c.Add)
}

// compact drops the lines whose files are gone. It does so only if the mailbox
// lists alike twice: a file that a rename hides must not lose its UID.
func (a *applier) compact() (bool, error) {
	before, err := a.s.lookAt(a.b.place)
	if err != nil {
		return false, err
	}
	var lists [2]*listing
	for i := range lists {
		if lists[i], err = a.s.list(a.b); err != nil {
			return false, err
		}
	}
	after, err := a.s.lookAt(a.b.place)
	if err != nil {
		return false, err
	}
	if lists[0].sum != lists[1].sum || messagesPart(before.Print) != messagesPart(after.Print) {
		return false, nil
	}
	a.s.setCount(a.b.name, len(lists[0].entries))
	there := make(map[uint64]struct{}, len(lists[0].hashes))
	for _, h := range lists[0].hashes {
		there[h] = struct{}{}
	}
	for i := range a.list.recs {
		if _, ok := there[a.list.recs[i].hash]; !ok {
			a.edit.drop[i] = true
		}
	}
	return true, nil
}

// appendLines adds to the file in one write.
func (a *applier) appendLines(data []byte) error {
	f, err := a.b.ctl.Append(uidlistName)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		if in, serr := f.Stat(); serr == nil {
			a.s.uidlist.appended(a.list, in, data)
		}
	}
	a.s.wrote.Add(int64(len(data)))
	return errors.Join(err, f.Close())
}
