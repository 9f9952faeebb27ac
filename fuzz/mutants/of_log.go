package main

// ofLog are faults in the words of the log and in its database.
var ofLog = []mutant{
	{"the earlier stamp wins", "changelog/message.go", `	if c := w.Stamp.Compare(o.Stamp); c != 0 {
		return c
	}`, `	if c := w.Stamp.Compare(o.Stamp); c != 0 {
		return -c
	}`},
	{"no tie-break", "changelog/message.go", `	return w.Dot.Compare(o.Dot)
}

// Presence`, `	return 0
}

// Presence`},
	{"no tie-break by value", "changelog/message.go", `	if byValue != 0 {
		return byValue
	}
`, ""},
	{"no generations", "changelog/tree.go", `	return top + 1
`, `	return 1
`},
	{"a delivery replaces the creation", "changelog/node.go", `return p.Delivery })
	n.Presence = append`, `return true })
	n.Presence = append`},
	{"cycles are not looked for", "changelog/layout.go", `			if q == n {
				b.out`, `			if q == n {
				panic("cycle")
				b.out`},
	{"Sync -> NoSync", "changelog/logdb/db.go", "d.kept.apply(b, sync && !d.o.NoSync)", "d.kept.apply(b, false)"},
	{"a split batch", "changelog/logdb/db.go", `	if d.o.SplitBatch && b.Count() > 1 {`, `	if b.Count() > 1 {`},
	{"a durable commit of nothing syncs nothing", "changelog/logdb/db.go", `		d.lazy.Add(1)
`, ""},
	{"a value's checksum is not looked at", "changelog/logdb/frame.go", `	if binary.BigEndian.Uint32(val) != sum(key, p) {`, `	if false && binary.BigEndian.Uint32(val) != sum(key, p) {`},
	{"a deleted record stays in the indexes", "changelog/logdb/batch.go", `	b.fail("index", old.keys(b.a.id, b.key, b.old.add))
	b.reindex()
`, ""},
	{"trim takes what is as old as the limit (<= for <)", "changelog/logdb/trim.go", "if at >= olderThan &&", "if at > olderThan &&"},
	{"events are numbered from 1 again after a trim", "changelog/logdb/account.go", "a.nextIntent = a.floor.event, a.floor.report, 1", "a.nextIntent = 1, 1, 1"},
	{"the first dot behind a hole is skipped", "changelog/logdb/unseen.go", "Seq: rs[j].Hi + 1}, true", "Seq: rs[j].Hi + 2}, true"},
	{"a marker may be durable before what it names", "changelog/logdb/fs.go", `		err = d.Sync()
		d.Close()`, `		err = nil
		d.Close()`},
	{"stamps may fall", "changelog/clock.go", `	if t > c.Last.Time {
		return`, `	if t != 0 {
		return`},
	{"a stamp far ahead moves the clock", "changelog/clock.go", `	if s.Time > now+Day {`, `	if false && s.Time > now+Day {`},
}
