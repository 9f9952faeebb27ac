package logdb

import (
	"maps"
	"slices"

	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/store"
)

// Mailbox is the local state of one mailbox of the store: what it looked like
// when its records were last brought up to date.
type Mailbox struct {
	GUID     store.MailboxGUID // of the node it belongs to
	Path     store.Name        // as last shown in the store
	Status   store.Status
	Look     store.Look
	UIDPrint store.Fingerprint // of the last look whose UIDs are known
	Count    uint64            // messages
	Digest   changelog.Digest
	Skipped  []Note
}

// Note is something in the mailbox that cannot be synced, and why. Parts over
// MaxNote bytes are cut when stored, notes over MaxNotes left out.
type Note struct{ Item, Reason string }

// Clone copies the value.
func (m *Mailbox) Clone() *Mailbox {
	c := *m
	c.Status.Attributes = maps.Clone(m.Status.Attributes)
	c.Look.Print = slices.Clone(m.Look.Print)
	c.UIDPrint = slices.Clone(m.UIDPrint)
	c.Skipped = slices.Clone(m.Skipped)
	return &c
}

const mailboxFormat = 1

func appendMailbox(dst []byte, m *Mailbox) []byte {
	dst = pack.Uint(pack.Array(dst, 15), mailboxFormat)
	dst = pack.String(pack.FixedOrNone(dst, m.GUID[:]), m.Path)
	dst = pack.Uint(pack.FixedOrNone(dst, m.Status.GUID[:]), m.Status.UIDValidity)
	dst = pack.Uint(pack.Uint(dst, m.Status.UIDNext), uint64(m.Status.HighestMod))
	keys := slices.Sorted(maps.Keys(m.Status.Attributes))
	dst = pack.Array(dst, 2*len(keys))
	for _, k := range keys {
		dst = pack.String(pack.String(dst, k), m.Status.Attributes[k])
	}
	dst = pack.Bool(pack.Bytes(dst, m.Look.Print), m.Look.Racy)
	dst = pack.Uint(pack.Bytes(dst, m.UIDPrint), m.Count)
	dst = pack.FixedOrNone(dst, m.Digest[:])
	notes := m.Skipped[:min(len(m.Skipped), MaxNotes)]
	dst = pack.Array(dst, 2*len(notes))
	for _, n := range notes {
		dst = pack.String(dst, n.Item[:min(len(n.Item), MaxNote)])
		dst = pack.String(dst, n.Reason[:min(len(n.Reason), MaxNote)])
	}
	return pack.Array(dst, 0) // room for what comes later
}

func decodeMailbox(b []byte) (*Mailbox, error) {
	r := pack.New(b, "mailbox")
	r.Fields(15)
	r.Version(mailboxFormat)
	m := &Mailbox{}
	r.FixedOrNone(m.GUID[:])
	m.Path = store.Name(r.String(changelog.MaxPath))
	r.FixedOrNone(m.Status.GUID[:])
	m.Status.UIDValidity = store.UIDValidity(r.Uint32())
	m.Status.UIDNext, m.Status.HighestMod = store.UID(r.Uint32()), store.ModSeq(r.Uint64())
	last := ""
	for i := range tuples(&r, 2, MaxListed) {
		k, v := r.String(changelog.MaxAttrKey), r.String(changelog.MaxAttrValue)
		if r.OK() && i > 0 && k <= last {
			r.Fail("attributes out of order")
		}
		if !r.OK() {
			break
		}
		if m.Status.Attributes == nil {
			m.Status.Attributes = map[string]string{}
		}
		m.Status.Attributes[k], last = v, k
	}
	m.Look = readLook(&r)
	if p := r.Bytes(MaxPrint); len(p) > 0 {
		m.UIDPrint = slices.Clone(p)
	}
	m.Count = r.Uint64()
	r.FixedOrNone(m.Digest[:])
	for range tuples(&r, 2, MaxNotes) {
		m.Skipped = append(m.Skipped, Note{r.String(MaxNote), r.String(MaxNote)})
	}
	r.Array(0, 1)
	if err := r.End(); err != nil {
		return nil, err
	}
	return m, nil
}
