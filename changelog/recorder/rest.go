package recorder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"

	"dsync/changelog"
	"dsync/changelog/logdb"
	"dsync/store"
)

// An account at rest. A scan that found nothing to do, to tell or to look at again
// notes the sum of all that it looked at (logdb.Rest). As long as no batch has come
// since, and the store looks the same, the next scan would find the same nothing: so
// it need not be made, and neither tree nor mailboxes are read.
//
// This is as safe as the looks are, for they are the same looks, compared as a whole
// instead of one by one: inodes, times and sizes of cur, new, uidlist, keywords and
// attributes of each mailbox, of the directories that hold mailboxes, and of the
// subscriptions; and a racy one counts as another. The mark and the place of the
// store are judged before, by Open.

// Glance is Scan for an account at rest; nil says that it is not at rest, and that
// Scan must look. Tree, Layout and Mailboxes of the Look are nil until Fill.
func (r *Recorder) Glance(ctx context.Context) *Look {
	m := r.acc.Last()
	if m.Rest == nil || m.Flags != 0 || r.restored || r.lostMark || r.seq > m.Seq {
		return nil
	}
	l := looker{sum: sha256.New()}
	look, err := r.st.TreeLook(ctx)
	if err != nil {
		return nil // Scan says why
	}
	l.add("", look)
	for _, n := range m.Rest.Paths {
		if look, err = r.st.MailboxLook(ctx, n); err != nil {
			return nil
		}
		l.add(n, look)
	}
	if l.racy || l.total() != m.Rest.Looks {
		return nil
	}
	return &Look{Digest: m.Digest}
}

// Fill reads of the log what Glance did not.
func (r *Recorder) Fill(ctx context.Context, l *Look) error {
	s, err := r.beginScan(ctx, false)
	if err != nil {
		return err
	}
	defer s.batch.Discard()
	s.show()
	l.Tree, l.Layout, l.Mailboxes = s.look.Tree, s.look.Layout, s.look.Mailboxes
	return nil
}

// looker sums up looks.
type looker struct {
	sum  hash.Hash
	buf  []byte
	racy bool
}

func (l *looker) add(n store.Name, k store.Look) {
	l.racy = l.racy || k.Racy
	l.buf = append(binary.AppendUvarint(l.buf[:0], uint64(len(n))), n...)
	l.buf = append(binary.AppendUvarint(l.buf, uint64(len(k.Print))), k.Print...)
	l.sum.Write(l.buf)
}

func (l *looker) total() (sum [32]byte) {
	l.sum.Sum(sum[:0])
	return sum
}

// rest gives what is to be noted if the scan found the account at rest, else nil. m is
// what the log will have.
func (s *scan) rest(m *logdb.Meta) (*logdb.Rest, error) {
	if !s.r.settled || m.Flags != 0 || s.r.restored || s.r.lostMark || !s.quiet() || s.look.BehindLog(m.Tree) {
		return nil, nil
	}
	rest := &logdb.Rest{}
	by := make(map[store.Name]*observed, len(s.obs))
	for _, o := range s.obs {
		by[o.Name] = o
	}
	l := looker{sum: sha256.New()}
	l.add("", m.TreeLook)
	for i := range m.Tree {
		if m.Tree[i].NoSelect {
			continue
		}
		o := by[m.Tree[i].Path]
		if o == nil || o.NoSelect || o.box == nil || o.box.Look.Racy || !bytes.Equal(o.box.Look.Print, o.look.Print) {
			return nil, nil
		}
		l.add(o.Name, o.look)
		rest.Paths = append(rest.Paths, o.Name)
	}
	rest.Looks = l.total()
	if l.racy {
		return nil, nil
	}
	var err error
	rest.Oldest, err = s.r.acc.Oldest()
	return rest, err
}

// quiet reports whether all that the scan has to say is that nothing changed.
func (s *scan) quiet() bool {
	l := s.look
	return s.still() && !s.first && s.stable && !s.lapsed && s.held == nil &&
		l.Events == 0 && len(l.Doubt)+len(l.Absent)+len(l.AbsentMailboxes)+len(l.Skipped)+len(l.Warnings) == 0 && l.Braked == "" &&
		!slices.ContainsFunc(l.Mailboxes, func(b *logdb.Mailbox) bool { return len(b.Skipped) > 0 })
}

// BehindLog reports whether the log has mailboxes that the store lacks, or a higher
// UIDNEXT than it shows: they went with a restore, or with a mark and a brake taken
// off, and no run has made them again. lines are the log's listing of the store.
func (l *Look) BehindLog(lines []logdb.Listed) bool {
	nodes := make(map[*changelog.Node]bool, len(lines))
	for _, line := range lines {
		nodes[l.Tree.Node(line.Node)] = true
	}
	for _, s := range l.Layout.Slots {
		if s.Shown && s.Holder != nil && !nodes[s.Holder] {
			return true
		}
	}
	for _, r := range l.Mailboxes {
		n := l.Tree.Node(r.GUID)
		if n != nil && nodes[n] && r.Status.UIDValidity != 0 && r.Status.UIDValidity == n.UIDValidity && r.Status.UIDNext < n.UIDNext {
			return true
		}
	}
	return false
}
