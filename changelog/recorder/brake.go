package recorder

import (
	"fmt"
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// older finds out whether the store is older than the log: its mark is, or a
// UIDNEXT fell. Then nothing that is missing was deleted.
func (s *scan) older() error {
	if s.r.lostMark {
		return nil // another disk, for all we know
	}
	for _, o := range s.obs {
		if o.box == nil || !o.known {
			continue
		}
		was := o.box.Status
		if was.UIDValidity != 0 && was.UIDValidity == o.status.UIDValidity && o.status.UIDNext < was.UIDNext {
			s.look.Restored = true
		}
	}
	if !s.look.Restored {
		return nil
	}
	s.warn("%s is older than its change log (restored from a backup?): what is missing is fetched again, and flags are set as the log has them", s.r.st.Location())
	for _, v := range s.vanished {
		v.keep = true
	}
	return nil
}

// trash are the customary names whose mail the brake does not count.
var trash = []string{"Trash", "Deleted Messages", "Deleted Items", "Junk", "Spam", "Junk E-mail"}

func uncounted(n store.Name) bool {
	return slices.Contains(trash, n.Base()) || slices.Contains(trash, n.Levels()[0])
}

// brake decides what becomes of the messages and mailboxes that are gone.
func (s *scan) brake() error {
	if s.look.Restored {
		return nil
	}
	for _, v := range s.vanished {
		if !s.stable && !v.keep {
			s.keep(v)
			s.doubt(v.path)
		}
	}
	if s.stable {
		s.look.Braked = s.overBrake()
	}
	for _, v := range s.vanished {
		if s.look.Braked != "" && !v.keep {
			s.keep(v)
		}
	}
	all := s.look.Braked != "" || !s.stable
	for id, at := range s.gone {
		if all || at.van != nil && at.van.keep {
			s.absent(id, at)
		}
	}
	slices.SortFunc(s.look.Absent, changelog.Dot.Compare)
	return nil
}

func (s *scan) keep(v *vanished) {
	v.keep = true
	s.look.AbsentMailboxes = append(s.look.AbsentMailboxes, v.path)
}

// absent leaves a message as the log has it, though the store lacks it.
func (s *scan) absent(id changelog.Dot, at *origin) {
	delete(s.gone, id)
	s.look.Absent = append(s.look.Absent, id)
	s.lapsed = true
	if at.obs != nil {
		at.obs.missed = true
	}
	switch {
	case s.look.Braked != "":
	case at.obs != nil:
		s.doubt(at.obs.Name)
	default:
		s.doubt(at.van.path)
	}
}

// overBrake says why the loss is too large to be believed, or "".
func (s *scan) overBrake() string {
	b := s.r.o.MaxDelete
	boxes := 0
	for _, v := range s.vanished {
		if !v.keep {
			boxes++
		}
	}
	if b.Off || len(s.gone) == 0 && boxes == 0 {
		return ""
	}
	const goOn = "nothing was logged as deleted; if it was meant, run once with --max-delete=off"
	where := s.r.st.Location()
	if s.r.lostMark {
		return fmt.Sprintf("%s has lost its mark and %d messages (another disk mounted there?); %s", where, len(s.gone), goOn)
	}
	if s.emptied(boxes) {
		return fmt.Sprintf("all mailboxes of %s vanished at once (unmounted?); %s", where, goOn)
	}
	count, percent := b.Count, b.Percent
	if count == 0 {
		count = brakeCount
	}
	if percent == 0 {
		percent = brakePercent
	}
	lost, total := 0, uint64(0)
	for _, at := range s.gone {
		path := store.Name("")
		if at.obs != nil {
			path = at.obs.Name
		} else {
			path = at.van.path
		}
		if !uncounted(path) {
			lost++
		}
	}
	for _, m := range s.boxes {
		if m.Path == "" || !uncounted(m.Path) {
			total += m.Count
		}
	}
	if lost <= count || uint64(lost)*100 <= total*uint64(percent) {
		return ""
	}
	return fmt.Sprintf("%d of %d messages of %s are gone; %s", lost, total, where, goOn)
}

// emptied reports whether every mailbox vanished: all but INBOX, which no store
// can be without, and that has lost all its mail.
func (s *scan) emptied(vanished int) bool {
	if vanished == 0 {
		return false
	}
	for _, o := range s.obs {
		if o.NoSelect {
			continue
		}
		if o.Name != store.Inbox || o.node == nil && !o.changed || o.snap == nil && o.box != nil && o.box.Count > 0 {
			return false
		}
		if o.snap != nil && o.snap.Len() > 0 {
			return false
		}
	}
	if vanished > 1 {
		return true
	}
	for _, at := range s.gone {
		if at.obs != nil {
			return true
		}
	}
	return false
}
