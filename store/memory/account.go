package memory

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dsync/store"
)

// account is the mail itself; several Stores may be open on it.
type account struct {
	mu   sync.Mutex // guards all below
	opt  Options
	caps store.Capabilities

	boxes       map[store.Name]*mailbox
	subs        map[store.Name]bool
	subsChanged time.Time
	attrs       map[string]string
	staged      map[string]*staged
	mark        *store.Mark
	gone        bool

	print     uint64 // of the tree
	printedAt time.Time

	rng          rand.PCG
	nonce        uint64 // of this copy of the account
	clones       uint64
	ticks        int64
	serial       uint64 // of keys, temporary names, inodes, mailbox directories
	sessions     uint64
	lastValidity store.UIDValidity

	lock lock
}

// mailbox is a mailbox that can hold mail; \Noselect parents are not kept but
// follow from the names.
type mailbox struct {
	dir       string
	guid      store.MailboxGUID
	validity  store.UIDValidity
	uidNext   store.UID
	highest   store.ModSeq
	attrs     map[string]string
	changed   time.Time
	msgs      map[string]*message // by key
	print     uint64
	uidPrint  uint64 // drawn anew when a message loses a UID it had
	printedAt time.Time
	applying  bool   // nobody else gives out UIDs
	foreign   uint64 // counts what clients did, at least
}

// message is one message; body is never written to.
type message struct {
	key      string
	uid      store.UID
	guid     store.GUID
	flags    store.Flags
	keywords []string // never written to, only replaced
	received time.Time
	body     []byte
	hash     store.HeaderHash
	mod      store.ModSeq
	state    store.ModSeq // mod of the last change of flags or keywords
	changed  time.Time
	inode    uint64
	synced   bool // its bytes would outlive a crash
	waits    bool // for a UID, until the Apply on its way ends
}

type staged struct {
	message
	box     *mailbox
	session uint64
}

func newAccount(o Options) *account {
	a := &account{
		opt: o, caps: AllCapabilities(),
		boxes: map[store.Name]*mailbox{}, subs: map[store.Name]bool{},
		attrs: map[string]string{}, staged: map[string]*staged{},
		lock: newLock(),
	}
	if o.Capabilities != nil {
		a.caps = *o.Capabilities
	}
	a.rng.Seed(o.Seed, 0x6d61696c)
	a.nonce = a.rng.Uint64()
	a.addMailbox(store.Inbox, store.Status{}, !o.LateUIDs)
	return a
}

func (a *account) now() time.Time {
	if a.opt.Clock != nil {
		return a.opt.Clock().UTC()
	}
	a.ticks++
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(a.ticks) * time.Second)
}

func (a *account) next() uint64 { a.serial++; return a.serial }

// newKey is a key that was never used, in this copy of the account or another.
func (a *account) newKey() string {
	return "m" + strconv.FormatUint(a.next(), 10) + "." + strconv.FormatUint(a.rng.Uint64(), 36)
}

// drawPrint gives the fingerprint of something changed at t.
func (a *account) drawPrint(t time.Time) uint64 {
	if a.opt.Grain == 0 {
		return a.rng.Uint64()
	}
	h := fnv.New64a()
	h.Write(binary.BigEndian.AppendUint64(nil, a.nonce))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(t.Truncate(a.opt.Grain).UnixNano())))
	return h.Sum64()
}

// treeTouched notes a change of the tree at t.
func (a *account) treeTouched(t time.Time) { a.print, a.printedAt = a.drawPrint(t), t }

// touched notes a change of the mailbox at t.
func (a *account) touched(b *mailbox, t time.Time) { b.print, b.printedAt = a.drawPrint(t), t }

// modified gives m the next modseq; visible if its handle changes.
func (a *account) modified(b *mailbox, m *message, visible bool) {
	now := a.now()
	b.highest++
	m.mod = b.highest
	if visible {
		m.state, m.changed = m.mod, now
	}
	a.touched(b, now)
}

// removed takes m out of b.
func (a *account) removed(b *mailbox, m *message) {
	delete(b.msgs, m.key)
	b.highest++
	a.touched(b, a.now())
}

// put makes m visible in b.
func (a *account) put(b *mailbox, m *message) {
	b.msgs[m.key] = m
	a.modified(b, m, true)
}

func (a *account) look(print, uidPrint uint64, at time.Time) store.Look {
	p := binary.BigEndian.AppendUint64(nil, print)
	p = binary.BigEndian.AppendUint64(p, uidPrint)
	racy := a.opt.Racy
	if g := a.opt.Grain; g > 0 && !racy {
		racy = a.now().Truncate(g).Equal(at.Truncate(g))
	}
	return store.Look{Print: p, Racy: racy}
}

func (a *account) boxLook(b *mailbox) store.Look { return a.look(b.print, b.uidPrint, b.printedAt) }

// freshValidity is a UIDVALIDITY above every one of the account.
func (a *account) freshValidity() store.UIDValidity {
	v := max(store.UIDValidity(a.now().Unix()), a.lastValidity+1)
	a.lastValidity = v
	return v
}

func (a *account) freshGUID() (g store.MailboxGUID) {
	binary.BigEndian.PutUint64(g[:8], a.rng.Uint64())
	binary.BigEndian.PutUint64(g[8:], a.rng.Uint64()|1)
	return g
}

// addMailbox makes a mailbox. identify: what s lacks of an identity is drawn.
func (a *account) addMailbox(n store.Name, s store.Status, identify bool) *mailbox {
	now := a.now()
	b := &mailbox{
		dir: "d" + strconv.FormatUint(a.next(), 10), guid: s.GUID, validity: s.UIDValidity,
		uidNext: max(1, s.UIDNext), highest: s.HighestMod, attrs: cleanAttributes(s.Attributes),
		changed: now, msgs: map[string]*message{}, uidPrint: a.rng.Uint64(),
	}
	if identify && (b.guid.IsZero() || !a.caps.MailboxGUIDs) {
		b.guid = a.freshGUID()
	}
	if identify && (b.validity == 0 || !a.caps.AssignUIDs) {
		b.validity = a.freshValidity()
	}
	a.lastValidity = max(a.lastValidity, b.validity)
	a.boxes[n] = b
	a.touched(b, now)
	a.treeTouched(now)
	return b
}

func cleanAttributes(in map[string]string) map[string]string {
	out := map[string]string{}
	setAttributes(out, in)
	return out
}

// setAttributes applies changes; "" removes.
func setAttributes(to, changes map[string]string) {
	for k, v := range changes {
		if v == "" {
			delete(to, k)
		} else {
			to[k] = v
		}
	}
}

// handle is "key/state/letters", with a hash of the keywords if there are any.
func (m *message) handle() store.Handle {
	var b strings.Builder
	b.WriteString(m.key)
	b.WriteByte('/')
	b.WriteString(strconv.FormatUint(uint64(m.state), 10))
	b.WriteByte('/')
	for f := range m.flags.Each {
		b.WriteString(f.Names()[0][1:3])
	}
	if len(m.keywords) > 0 {
		h := fnv.New32a()
		h.Write([]byte(strings.Join(m.keywords, " ")))
		b.WriteString("+" + strconv.FormatUint(uint64(h.Sum32()), 36))
	}
	return store.Handle(b.String())
}

// visible is the hash that Snapshot.Hash and Done.Hash give.
func (m *message) visible() uint64 {
	h := fnv.New64a()
	h.Write([]byte(m.key))
	h.Write([]byte{0, byte(m.flags)})
	h.Write(strconv.AppendUint(nil, uint64(m.state), 10)) // handles differ by it
	h.Write([]byte(strings.Join(m.keywords, " ")))
	return h.Sum64()
}

// describe gives the message as the store shows it.
func (a *account) describe(m *message) store.Message {
	d := store.Message{
		Handle: m.handle(), UID: m.uid, Key: m.key,
		Content: store.Content{GUID: m.guid, Size: int64(len(m.body)), Hash: m.hash},
		Flags:   m.flags, Keywords: slices.Clone(m.keywords), Received: m.received,
		Changed: m.changed, Inode: m.inode, Hash: m.visible(),
	}
	if a.caps.ModSeqs {
		d.ModSeq = m.mod
	}
	return d
}

// sorted gives the messages by UID, then key.
func (b *mailbox) sorted() []*message {
	out := make([]*message, 0, len(b.msgs))
	for _, m := range b.msgs {
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y *message) int {
		if x.uid != y.uid {
			if x.uid < y.uid {
				return -1
			}
			return 1
		}
		return strings.Compare(x.key, y.key)
	})
	return out
}

// names lists the mailboxes in order, without parents that only follow.
func (a *account) names() []store.Name {
	return slices.SortedFunc(maps.Keys(a.boxes), store.CompareNames)
}

// counter counts from several goroutines.
type counter struct{ n atomic.Int64 }

func newCounter() *counter    { return new(counter) }
func (c *counter) next() int  { return int(c.n.Add(1)) }
func (c *counter) value() int { return int(c.n.Load()) }
