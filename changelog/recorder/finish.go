package recorder

import (
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// rename gives a mailbox that shares its GUID with another one of its own.
func (s *scan) rename(o *observed, g store.MailboxGUID) {
	s.warn("%s: has the GUID of another mailbox (copied?); it gets one of its own", o.Name)
	if s.r.o.ReadOnly || !s.r.st.Capabilities().MailboxGUIDs || s.r.st.Capabilities().ReadOnly {
		return
	}
	if err := s.writing(); err != nil {
		s.warn("%s: its new GUID could not be written: %v", o.Name, err)
		return
	}
	if _, err := s.r.st.Apply(s.ctx, o.Name, &store.Change{GUID: g}); err != nil {
		s.warn("%s: its new GUID could not be written: %v", o.Name, err)
		return
	}
	o.status.GUID, o.missed = g, true
}

// subscriptions logs what others subscribed and unsubscribed.
func (s *scan) subscriptions() error {
	if s.listed == nil || !s.r.st.Capabilities().Subscriptions || s.look.Restored {
		return nil
	}
	shown := s.tree.Subscriptions(s.edit.Layout())
	write := func(n store.Name, on bool) {
		var w changelog.Write
		s.edit.Subscribe(n, on, func() changelog.Write {
			w = s.mint(micros(s.listed.SubsChanged))
			return w
		})
		s.log(w, changelog.Dot{}, changelog.Subscribe{Path: n, On: on})
	}
	for _, n := range shown {
		if !slices.Contains(s.listed.Subscriptions, n) {
			write(n, false)
		}
	}
	for _, n := range s.listed.Subscriptions {
		if !slices.Contains(shown, n) {
			write(n, true)
		}
	}
	return nil
}

// accountAttributes logs the account's attributes that others changed.
func (s *scan) accountAttributes() error {
	if s.listed == nil || !s.r.st.Capabilities().Attributes || s.look.Restored {
		return nil
	}
	known := len(s.tree.Nodes) > 0 && s.tree.Nodes[0].IsAccount()
	if !known && len(s.listed.Attributes) == 0 {
		return nil
	}
	s.attrs(s.tree.Account(), "", s.listed.Attributes)
	return nil
}

// lineUp is the tree for the log to remember, with what is only absent.
func (s *scan) lineUp() []logdb.Listed {
	lay := s.edit.Layout()
	var out []logdb.Listed
	for _, o := range s.obs {
		l := logdb.Listed{Path: o.Name, NoSelect: o.NoSelect, Dir: o.Dir}
		if o.node != nil {
			l.Node = o.node.GUID()
		} else if n := parentNode(lay.ByPath[o.Name]); n != nil {
			l.Node = n.GUID()
		}
		out = append(out, l)
	}
	if s.look.Restored {
		return out
	}
	for _, v := range s.vanished {
		if v.keep {
			out = append(out, v.line) // behind what is at its path now
		}
	}
	slices.SortStableFunc(out, func(a, b logdb.Listed) int { return store.CompareNames(a.Path, b.Path) })
	return out
}
