package changelog

import (
	"slices"

	"dsync/store"

	"pgregory.net/rapid"
)

func genReplica(t *rapid.T) Replica {
	return Replica{
		ReplicaID(rapid.SampledFrom([]uint64{1, 2, 0x7f, 0x80, 1 << 40, 0xfedcba9876543210, ^uint64(0)}).Draw(t, "id")),
		rapid.SampledFrom([]uint32{0, 1, 300, ^uint32(0)}).Draw(t, "epoch"),
	}
}

func genDot(t *rapid.T) Dot {
	return Dot{genReplica(t), rapid.OneOf(rapid.Uint64Range(1, 200), rapid.Just(uint64(MaxSeq))).Draw(t, "seq")}
}

func genWrite(t *rapid.T) Write {
	return Write{genDot(t), Stamp{
		rapid.SampledFrom([]int64{0, -1, -33, -200, -70000, -1 << 40, 5, 1700000000123456}).Draw(t, "time"),
		rapid.SampledFrom([]uint32{0, 1, 1 << 20}).Draw(t, "count"),
	}}
}

func genDots(t *rapid.T) Dots {
	var s Dots
	for range rapid.IntRange(0, 5).Draw(t, "ranges") {
		d := genDot(t)
		n := rapid.Uint64Range(0, 30).Draw(t, "more")
		if d.Seq+n <= MaxSeq {
			s.AddRange(d.Replica, Range{d.Seq, d.Seq + n})
		}
	}
	return s
}

func genGUID(t *rapid.T) (g store.MailboxGUID) {
	copy(g[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "guid"))
	return g
}

func genName(t *rapid.T) store.Name {
	return store.Name(rapid.SampledFrom([]string{"INBOX", "a", "b", "a/b", "Gelöscht", "x y/z"}).Draw(t, "name"))
}

func uniq[T any](ws []T, compare func(a, b T) int) []T {
	slices.SortFunc(ws, compare)
	ws = slices.CompactFunc(ws, func(a, b T) bool { return compare(a, b) == 0 })
	if len(ws) == 0 {
		return nil
	}
	return ws
}

func many[T any](t *rapid.T, least int, f func(*rapid.T) T) []T {
	return rapid.SliceOfN(rapid.Custom(f), least, 6).Draw(t, "list")
}

func byDot[T any](dot func(T) Dot) func(a, b T) int {
	return func(a, b T) int { return dot(a).Compare(dot(b)) }
}

func genMessage(t *rapid.T) *Message {
	m := &Message{
		Origins: uniq(many(t, 1, genWrite), byDot(func(w Write) Dot { return w.Dot })),
		Presence: uniq(many(t, 0, func(t *rapid.T) Presence { return Presence{genWrite(t), genGUID(t)} }),
			byDot(func(p Presence) Dot { return p.Dot })),
		Received: rapid.Int64().Draw(t, "received"),
		Past:     genDots(t),
		Chosen:   genChoice(t),
		UID:      store.UID(rapid.Uint32().Draw(t, "uid")),
		Content: store.Content{
			GUID: store.GUID(rapid.StringMatching(`[a-zA-Z0-9.,=]{1,60}`).Draw(t, "guid")),
			Size: rapid.Int64Range(0, 1<<62).Draw(t, "size"),
		},
	}
	copy(m.Content.Hash[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "hash"))
	m.Flags = many(t, 0, func(t *rapid.T) FlagWrite {
		return FlagWrite{genWrite(t), store.Flags(1 << rapid.IntRange(0, 4).Draw(t, "flag")), rapid.Bool().Draw(t, "set"), rapid.Bool().Draw(t, "back")}
	})
	SortFlags(m.Flags)
	m.Flags = slices.CompactFunc(m.Flags, func(a, b FlagWrite) bool { return a.Flag == b.Flag && a.Dot == b.Dot })
	m.Keywords = many(t, 0, func(t *rapid.T) KeywordWrite {
		return KeywordWrite{genWrite(t), rapid.SampledFrom([]string{"$Forwarded", "Work", "work", "a"}).Draw(t, "kw"), rapid.Bool().Draw(t, "set"), rapid.Bool().Draw(t, "back")}
	})
	SortKeywords(m.Keywords)
	m.Keywords = slices.CompactFunc(m.Keywords, func(a, b KeywordWrite) bool {
		return store.FoldKeyword(a.Name) == store.FoldKeyword(b.Name) && a.Dot == b.Dot
	})
	if len(m.Flags) == 0 {
		m.Flags = nil
	}
	if len(m.Keywords) == 0 {
		m.Keywords = nil
	}
	if rapid.Bool().Draw(t, "was") {
		m.Was = Was{genGUID(t), store.UIDValidity(rapid.Uint32().Draw(t, "uv")), 3}
	}
	return m
}

// genChoice is LaterWins half of the time.
func genChoice(t *rapid.T) Choice {
	return Choice(max(0, rapid.IntRange(1-int(choices), int(choices)-1).Draw(t, "choice")))
}

func genNode(t *rapid.T) *Node {
	n := &Node{
		GUIDs: uniq(many(t, 1, genGUID), store.MailboxGUID.Compare),
		Creates: uniq(many(t, 0, func(t *rapid.T) Create {
			return Create{genWrite(t), genGUID(t), genName(t).Base(), rapid.Uint32().Draw(t, "gen"), rapid.Bool().Draw(t, "b")}
		}), byDot(func(c Create) Dot { return c.Dot })),
		Places: uniq(many(t, 0, func(t *rapid.T) PlaceWrite { return PlaceWrite{genWrite(t), genGUID(t), genName(t)} }),
			byDot(func(c PlaceWrite) Dot { return c.Dot })),
		Presence: uniq(many(t, 0, func(t *rapid.T) NodePresence { return NodePresence{genWrite(t), rapid.Bool().Draw(t, "b")} }),
			byDot(func(c NodePresence) Dot { return c.Dot })),
		Subs:        genBools(t),
		Past:        genDots(t),
		Chosen:      Chosen{genChoice(t), genChoice(t), genChoice(t), genChoice(t)},
		UIDValidity: store.UIDValidity(rapid.Uint32().Draw(t, "uv")),
		UIDNext:     store.UID(rapid.Uint32().Draw(t, "next")),
	}
	n.Attrs = many(t, 0, func(t *rapid.T) AttrWrite {
		return AttrWrite{genWrite(t), rapid.SampledFrom([]string{"", "k", "comment"}).Draw(t, "k"), rapid.String().Draw(t, "v")}
	})
	SortAttrs(n.Attrs)
	n.Attrs = slices.CompactFunc(n.Attrs, func(a, b AttrWrite) bool { return a.Key == b.Key && a.Dot == b.Dot })
	if len(n.Attrs) == 0 {
		n.Attrs = nil
	}
	return n
}

func genBools(t *rapid.T) []BoolWrite {
	return uniq(many(t, 0, func(t *rapid.T) BoolWrite { return BoolWrite{genWrite(t), rapid.Bool().Draw(t, "on")} }),
		byDot(func(c BoolWrite) Dot { return c.Dot }))
}

func genHeld(t *rapid.T) []Held {
	return uniq(many(t, 0, func(t *rapid.T) Held { return Held{store.UIDValidity(rapid.Uint32().Draw(t, "uv")), genGUID(t)} }), CompareHeld)
}

func genSeen(t *rapid.T) Seen {
	s := Seen{Dots: genDots(t)}
	for range rapid.IntRange(0, 3).Draw(t, "tags") {
		d := genDot(t)
		s.SetTag(d.Replica, Position{d.Seq, Tag(rapid.Uint64().Draw(t, "tag"))})
	}
	return s
}

func genOptDot(t *rapid.T) Dot {
	if rapid.Bool().Draw(t, "none") {
		return Dot{}
	}
	return genDot(t)
}

func genStrings(t *rapid.T) []string {
	s := rapid.SliceOfN(rapid.StringMatching(`[a-z$]{1,8}`), 0, 3).Draw(t, "kws")
	if len(s) == 0 {
		return nil
	}
	return s
}

func genEvent(t *rapid.T) Event {
	uid, guid := store.UID(rapid.Uint32().Draw(t, "uid")), store.GUID(rapid.StringMatching(`[a-z0-9]{0,9}`).Draw(t, "guid"))
	fl := store.Flags(rapid.IntRange(0, int(store.AllFlags)).Draw(t, "fl"))
	w := genWrite(t)
	d := Deliver{genGUID(t), genName(t), uid, guid, fl}
	mv := Move{genOptDot(t), genName(t), genName(t), uid, guid}
	bodies := []Body{
		d, Found(d), Copy(d), mv, Restore(mv), Expunge{mv.Message, mv.From, uid, guid},
		SetFlags{mv.Message, mv.From, uid, fl, ^fl & store.AllFlags}, SetKeywords{mv.Message, mv.From, uid, genStrings(t), genStrings(t)},
		CreateMailbox{d.Mailbox, d.Path, fl&1 != 0, fl&2 != 0}, RenameMailbox{d.Mailbox, mv.From, mv.To},
		DeleteMailbox{d.Mailbox, d.Path, uint32(uid)}, Subscribe{d.Path, fl&1 != 0},
		SetAttribute{"", "k", string(guid)}, SetAttribute{d.Path, "k", ""}, RaiseUIDNext{d.Path, uid}, ResetUIDs{d.Path, store.UIDValidity(uid)},
	}
	return Event{w.Dot, w.Stamp, genOptDot(t), bodies[rapid.IntRange(0, len(bodies)-1).Draw(t, "kind")]}
}
