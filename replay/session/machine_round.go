package session

import (
	"slices"

	"dsync/changelog"
	"dsync/store"
)

// round begins to exchange counterparts: each end in its turn sends those of what
// came since its last one, and at first what it holds in the mailboxes that must be
// whole. It is over with the first turn, but for the very first, that sends nothing:
// whoever sent nothing has answered all, and there is nothing new to answer.
func (m *Machine) round(nodes []store.MailboxGUID, mine bool) {
	m.nodes, m.turns = nodes, 0
	if mine {
		m.more()
		return
	}
	m.want(KindMore)
}

func (m *Machine) more() {
	a := Action{Do: DoMore, Nodes: m.nodes}
	for _, x := range m.news {
		for _, o := range x.Origins {
			if !m.have[o.Dot] {
				a.IDs = append(a.IDs, o.Dot)
			}
		}
	}
	m.news, m.nodes = nil, nil
	m.do(a)
}

// LoadedMore takes the counterparts.
func (m *Machine) LoadedMore(ms []*changelog.Message) {
	ms = slices.DeleteFunc(ms, func(x *changelog.Message) bool { return m.have[x.ID()] })
	m.noteOwn(ms)
	m.own.Messages = append(m.own.Messages, ms...)
	m.send(&Frame{Kind: KindMore, More: &More{ms}})
	if m.turns++; m.turns > 1 && len(ms) == 0 {
		m.complete(true)
		return
	}
	m.want(KindMore)
}

// heard takes the peer's counterparts.
func (m *Machine) heard(ms []*changelog.Message) {
	m.theirs.Messages = append(m.theirs.Messages, ms...)
	m.news = append(m.news, ms...)
	if m.turns++; m.turns > 1 && len(ms) == 0 {
		m.complete(false)
		return
	}
	m.more()
}

// complete goes on when neither end has counterparts left; mine: this end knew it
// first, and speaks first. Once it asks for all of the mailboxes that differ for a reason
// nobody has seen.
func (m *Machine) complete(mine bool) {
	if !m.level {
		m.level = true
		if nodes := m.unlike(); len(nodes) > 0 {
			m.round(nodes, mine)
			return
		}
	}
	m.first = mine
	own, theirs := unhashed(m.own, m.theirs), unhashed(m.theirs, m.own)
	switch {
	case len(own)+len(theirs) == 0:
		m.merge()
	case mine:
		m.do(Action{Do: DoHash, IDs: own})
	default:
		m.want(KindHashes)
	}
}

// unhashed names an end's messages whose GUID the other brings in too, where both
// lack the hash of the header.
func unhashed(own, theirs *Delta) (ids []changelog.Dot) {
	guids := map[store.GUID]bool{}
	known := map[changelog.Dot]bool{}
	for _, x := range theirs.Messages {
		if x.Live() {
			guids[x.Content.GUID] = true
		}
		for _, o := range x.Origins {
			known[o.Dot] = true
		}
	}
	for _, x := range own.Messages {
		shared := slices.ContainsFunc(x.Origins, func(w changelog.Write) bool { return known[w.Dot] })
		if x.Live() && !shared && guids[x.Content.GUID] && x.Content.Hash == (store.HeaderHash{}) {
			ids = append(ids, x.ID())
		}
	}
	return ids
}

// Hashed takes the hashes asked for.
func (m *Machine) Hashed(hs []HeaderHash) {
	setHashes(m.own.Messages, hs)
	m.send(&Frame{Kind: KindHashes, Hashes: hs})
	if m.first {
		m.want(KindHashes)
		return
	}
	m.merge()
}

// hashed takes the peer's.
func (m *Machine) hashed(hs []HeaderHash) {
	own := unhashed(m.own, m.theirs)
	setHashes(m.theirs.Messages, hs)
	if m.first {
		m.merge()
		return
	}
	m.do(Action{Do: DoHash, IDs: own})
}

func setHashes(ms []*changelog.Message, hs []HeaderHash) {
	if len(hs) == 0 {
		return
	}
	by := map[changelog.Dot]store.HeaderHash{}
	for _, h := range hs {
		by[h.ID] = h.Hash
	}
	for _, x := range ms {
		if h, ok := by[x.ID()]; ok {
			x.Content.Hash = h
		}
	}
}
