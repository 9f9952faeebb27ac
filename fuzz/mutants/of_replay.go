package main

// ofReplay are faults in playing a plan, and in the steps of a session.
var ofReplay = []mutant{
	{"what is intended is not durable before it is done", "replay/bodies.go", `	return ids, b.Commit(true)
`, `	return ids, b.Commit(false)
`},
	{"no intent is written before the effect", "replay/bodies.go", `	if len(in.items) == 0 {
		return nil, nil
	}
	b := p.Account.Batch()`, `	if true || len(in.items) == 0 {
		return nil, nil
	}
	b := p.Account.Batch()`},
	{"no intent is written before files are staged", "replay/play.go", `	p.intent = append(p.intent, b.PutIntent(logdb.Intent{Kind: intentStage, Payload: encodeStage(names)}))
`, `	_ = names
`},
	{"no intent is written before renames", "replay/play.go", `	if len(p.Plan.Renames) > 0 {
		p.moving = b.PutIntent`, `	if false {
		p.moving = b.PutIntent`},
	{"recovery looks for the GUID and not the name", "replay/intent.go", `		out.byKey[m.Key] = m
`, `		out.byKey[string(m.Content.GUID)] = m
`},
	{"recovery believes an effect that stands in part", "replay/intent.go", "found && m.UID == it.uid && m.Flags == it.flags &&", "found &&"},
	{"recovery takes a name that was there before for the effect", "replay/intent.go", "if was, err := s.held(it.entry, it.key); was || err != nil {", "if was, err := s.held(it.entry, it.key); false && was || err != nil {"},
	{"recovery does not look at the mailbox again", "replay/intent.go", `	row.Look, row.UIDPrint = store.Look{}, nil
	s.batch.PutMailbox(row)`, `	s.batch.PutMailbox(row)`},
	{"a message that vanished is not listed as such", "replay/rest.go", `	p.meta.HighestMod++
	batch.AddVanished(p.Now(), r.Mailbox, p.meta.HighestMod, []store.UID{r.UID})
`, `	p.meta.HighestMod++
`},
	{"a failed expunge counts as made", "replay/rest.go", `			p.failItem(it, b, "expunge", e)
			continue
`, `			e = nil
`},
	{"flags that failed are not told of", "replay/rest.go", `			p.failItem(it, b, "flags", e)
			continue
`, `			continue
`},
	{"what is superfluous is unlinked before the peer has the bodies", "replay/session/local.go", `	return l.Player.Bodies(ctx)
}

// Rest implements End.
func (l *Local) Rest(ctx context.Context) (*Report, func(string) bool, error) {
	if !l.DryRun && !l.ReadOnly {
`, `	if err := l.Player.Bodies(ctx); err != nil {
		return err
	}
	return l.Player.Rest(ctx)
}

// Rest implements End.
func (l *Local) Rest(ctx context.Context) (*Report, func(string) bool, error) {
	if false {
`},
	{"the plans of the two ends are not compared", "replay/session/machine_end.go", `	if theirs.Hash != m.mine.Hash {`, `	if false && theirs.Hash != m.mine.Hash {`},
	{"dots of a run in parts enter with its first part", "replay/session/local.go", `	if c.More {
		enter = changelog.Dots{}
	}
`, ""},
	{"all is seen though something failed", "replay/session/local.go", `	c.Join = c.Join && l.failed == 0
`, ""},
	{"a later received date stays in the store", "replay/plan.go", "	if it.Rec.Received != it.Out.Received {", "	if false && it.Rec.Received != it.Out.Received {"},
	{"a mailbox that comes back begins with UIDNEXT 1", "replay/play.go", "		if was.UIDValidity == n.UIDValidity {", "		if false && was.UIDValidity == n.UIDValidity {"},
	{"the clock learns nothing from the other side", "replay/session/local.go", `			m.Clock.Observe(s, max(now, s.Time))
`, `			_, _ = now, s
`},
	{"the state names a position before it is durable", "replay/session/local.go", `	return b.Commit(true)
}

// Advance`, `	return b.Commit(false)
}

// Advance`},
	{"bodies are given from where they were, not from where they are now", "replay/session/local.go", `	path := l.Player.PathOf(r)
`, `	path := l.Look.Layout.In(r.Mailbox).Path
`},
}
