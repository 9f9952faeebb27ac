package main

// ofRecorder are faults in finding what others did.
var ofRecorder = []mutant{
	{"the brake is ignored", "changelog/recorder/brake.go", `	if s.stable {
		s.look.Braked`, `	if false && s.stable {
		s.look.Braked`},
	{"the brake pulls at the limit itself (< for <=)", "changelog/recorder/brake.go", "if lost <= count ||", "if lost < count ||"},
	{"Trash counts for the brake", "changelog/recorder/brake.go", "		if !uncounted(path) {\n", "		if true || !uncounted(path) {\n"},
	{"a store older than its log is believed", "changelog/recorder/brake.go", "o.status.UIDNext < was.UIDNext {", "false && o.status.UIDNext < was.UIDNext {"},
	{"a racy look is taken as sure", "changelog/recorder/scan.go", "!s.full && !s.first && !b.Look.Racy && !o.look.Racy &&", "!s.full && !s.first &&"},
	{"an expunge is logged for a mailbox that changed while it was listed", "changelog/recorder/list.go", `	if len(s.gone) == 0 || !s.stable {`, `	if true || len(s.gone) == 0 || !s.stable {`},
	{"a move is an expunge and a new message", "changelog/recorder/match.go", `	default:
		s.claim(f, isMove, r)
`, `	default:
`},
	{"a key used again is the same message", "changelog/recorder/match.go", `	return r.Content.Size == f.Content.Size && r.Received == f.Received.Unix() &&`, `	return true || r.Content.Size == f.Content.Size && r.Received == f.Received.Unix() &&`},
	{"a message that cannot be read is gone", "changelog/recorder/match.go", `				delete(s.gone, id)
			}
		}
	}
	return nil`, `			}
		}
	}
	return nil`},
	{"own changes are not seen", "changelog/recorder/scan.go", `	s.meta.Seen.Dots.Add(w.Dot)
`, ""},
	{"what was braked is not looked at again", "changelog/recorder/commit.go", "m.TreeLook.Racy || s.lapsed || !s.stable || len(s.look.AbsentMailboxes) > 0", "m.TreeLook.Racy"},
	{"what the store lacks for once is not looked at again", "changelog/recorder/write.go", `	if o.missed || !o.snap.Stable() {
		o.box.Look.Racy = true
	} else if !o.zero {`, `	if !o.zero {`},
	{"a restored log goes on under its old epoch", "changelog/recorder/epoch.go", `	if known(r.acc.Last(), mine) {`, `	if true || known(r.acc.Last(), mine) {`},
	{"a new epoch leaves the past under the old one", "changelog/recorder/epoch.go", `	each(m.Keywords, func(w *changelog.KeywordWrite) { d.dot(&w.Dot) })
	d.dots(&m.Past)
`, `	each(m.Keywords, func(w *changelog.KeywordWrite) { d.dot(&w.Dot) })
`},
	{"a position is handed out under its old tag", "changelog/recorder/recorder.go", "m.Tags[n-1].Seq == m.Seq {", "m.Tags[n-1].Seq <= m.Seq {"},
	{"a new UIDVALIDITY keeps the old UIDNEXT", "changelog/recorder/write.go", `		n.UIDValidity, n.UIDNext = uv, 1
`, `		n.UIDValidity = uv
`},
}
