package main

// ofMerge are faults in deciding.
var ofMerge = []mutant{
	{"dots are forgotten", "merge/after.go", "	return enter.Minus(&r.seen[s]), hold", "	return changelog.Dots{}, hold"},
	{"a dot enters before its effect", "merge/after.go", "			if failed(id) {", "			if false && failed(id) {"},
	{"held back dots enter", "merge/after.go", `	return in.Minus(&held)
`, `	_ = held
	return in
`},
	{"dots enter that the other side has not seen", "merge/after.go", `	enter = enter.Minus(&beyond)
`, `	_ = beyond
`},
	{"a lost tombstone", "merge/merge.go", `				after.add(g.out, g.side[s])
`, `				if g.out.Live() {
					after.add(g.out, g.side[s])
				}
`},
	{"union instead of keep", "merge/writes.go", "		if lacks || !seen.Has(dot(w)) {", "		if true || lacks || !seen.Has(dot(w)) {"},
	{"what was seen is kept by nobody", "merge/writes.go", `		case c == 0:
			out, a, b = append(out, a[0]), a[1:], b[1:]`, `		case c == 0 && !seenA.Has(dot(a[0])):
			out, a, b = append(out, a[0]), a[1:], b[1:]
		case c == 0:
			a, b = a[1:], b[1:]`},
	{"< for <=", "merge/uids.go", "at[s] != u && u < st.next[s]", "at[s] != u && u+1 < st.next[s]"},
	{"UIDNEXT of one side", "merge/uids.go", `	next := uint64(max(st.next[0], st.next[1]))
`, `	next := uint64(st.next[0])
`},
	{"a UIDVALIDITY used again", "merge/uids.go", "	if m.shownForAnother(slot.Path, st.uv, n) ||", "	if false && m.shownForAnother(slot.Path, st.uv, n) ||"},
	{"no links", "merge/link.go", `	if !m.bothApart() {
		return
	}
	sides`, `	if true {
		return
	}
	sides`},
	{"the other side's place does not count", "merge/filter.go", `	for s := range g.side {
		for _, x := range g.side[s] {
			if !check(x) {`, `	for s := range g.side {
		for _, x := range g.side[s] {
			if s == 0 && !check(x) {`},
	{"any clear wins", "merge/policy.go", `	return p.Flag[bits.TrailingZeros8(uint8(f))]
`, `	if x := p.Flag[bits.TrailingZeros8(uint8(f))]; x == AnySet {
		return AnyClear
	} else {
		return x
	}
`},
	{"left wins", "merge/policies.go", `flagPicks(AnySet, AnyClear, store.Deleted|store.Draft)}
	Dovecot`, `flagPicks(LeftSide, 0, 0)}
	Dovecot`},
	{"one-way carries moves", "merge/oneway.go", `		one.out = x.Clone()
`, `		one.out = x.Clone()
		if len(g.side[src]) > 0 && x.Live() && g.side[src][0].Live() {
			one.out.Presence = g.side[src][0].Presence
		}
`},
	{"backup leaves extra mail", "merge/mirror.go", `		if g.out.Live() {
			g.out.Expunge`, `		if false && g.out.Live() {
			g.out.Expunge`},
	{"an overridden flag is not reported", "merge/decide.go", "		if now := shown&f != 0; changed[0] && was[0] != now", `		if now := shown&f != 0; f == store.Seen {
		} else if changed[0] && was[0] != now`},
	{"one GUID for two contents", "merge/content.go", `			g.out.Content.GUID = Derived(c)
`, ""},
	{"UIDs are given in the order of the listing", "merge/uids.go", `	slices.SortFunc(gs, compareGroupOrder)
`, `	_ = compareGroupOrder
`},
	{"the side that started has its UIDs", "merge/uids.go", `	u := max(at[0], at[1])
`, `	u := at[m.opt.Left]
	if u == 0 {
		u = at[1-m.opt.Left]
	}
`},
	{"a mailbox left out by a filter gets the other side's numbers", "merge/merge.go", `			n.UIDValidity, n.UIDNext = own.UIDValidity, own.UIDNext
`, `			_ = n
`},
}
