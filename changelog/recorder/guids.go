package recorder

import "dsync/store"

// ownGUIDs gives mailboxes the GUID that the log has for them, where the store has
// none, or another one of theirs: a run died before it wrote it, a client made a
// mailbox at a place that the log knows, or a uidlist without one. A mailbox without
// a UIDVALIDITY gets both from the run. A look that may not write leaves it to the
// next one, and where the store is older than its log only what the log knows to be
// this mailbox gets its GUID.
func (s *scan) ownGUIDs() error {
	c := s.r.st.Capabilities()
	if c.ReadOnly || !c.MailboxGUIDs {
		return nil
	}
	for _, o := range s.obs {
		if o.node == nil || o.NoSelect || !o.known || o.snap == nil || o.status.UIDValidity == 0 || o.status.GUID == o.node.GUID() {
			continue
		}
		if s.look.Restored {
			was, err := s.was()
			if err != nil {
				return err
			}
			if was.Node(o.status.GUID) == nil {
				continue
			}
		}
		o.missed = true
		if s.r.o.ReadOnly {
			continue
		}
		if err := s.writing(); err != nil {
			return err
		}
		g := o.node.GUID()
		if _, err := s.r.st.Apply(s.ctx, o.Name, &store.Change{GUID: g}); err != nil {
			s.warn("%s: its GUID could not be written: %v", o.Name, err)
			continue
		}
		o.status.GUID = g
	}
	return nil
}
