package main

// ofMaildir are faults in the Maildir writer.
var ofMaildir = []mutant{
	{"UIDNEXT is taken from the header only", "store/maildir/uidlist.go", `	if len(l.recs) > 0 {
		if last := l.recs`, `	if false && len(l.recs) > 0 {
		if last := l.recs`},
	{"fields of a uidlist that are not ours are dropped", "store/maildir/uidlist.go", `			h.extra = append(h.extra, field)
`, ""},
	{"a uidlist's lines out of order count", "store/maildir/uidlist.go", "if !ok || rec.uid <= last {", "if !ok || last == 1<<32-1 {"},
	{"the uidlist is written without its lock", "store/maildir/apply.go", `	lock, err := s.dotlock(ctx, b.ctl, uidlistName, b.ctlPerms)
`, `	lock, err := s.dotlock(ctx, b.ctl, uidlistName+"-", b.ctlPerms)
`},
	{"UIDs are given though others were given since the plan", "store/maildir/apply.go", `	if gives && seen != 0 &&`, `	if false && gives && seen != 0 &&`},
	{"a keyword's letter stands before its meaning", "store/maildir/apply.go", `	return a.s.replace(a.b.ctl, keywordsName, a.kw.encode(), a.b.ctlPerms)
`, `	return nil
`},
	{"names are not made durable", "store/maildir/apply.go", `		errs = append(errs, a.b.cur.Sync())
`, ""},
	{"a message becomes visible before its bytes are durable", "store/maildir/apply.go", `	if err := s.syncUnsynced(ctx, c.Add); err != nil {
		return nil, err
	}
`, ""},
	{"staged messages are not synced", "store/maildir/stage.go", "errors.Join(f.Sync(), f.Close())", "errors.Join(f.Close())"},
	{"a whole file system is not synced", "store/maildir/stage.go", `				return d.SyncFS()
`, `				return nil
`},
	{"flags are set on whatever has the name by now", "store/maildir/apply_items.go", `		if missing(err) {
			return store.Done{Err: a.absent("set flags", f.Handle)}
		}
`, `		if missing(err) {
			return a.done(base, newLet, rest, unshown)
		}
`},
	{"another mailbox's keyword letters are kept in a move", "store/maildir/apply_items.go", "capitals(foreignLetters(let, nil))", "foreignLetters(let, nil)"},
	{"a change within the clock's grain is not racy", "store/maildir/look.go", `	fineGrain   = 20 * time.Millisecond
	coarseGrain = 2 * time.Second`, `	fineGrain   = 0 * time.Millisecond
	coarseGrain = 0 * time.Second`},
	{"lines of files that a rename hid are dropped", "store/maildir/apply_uidlist.go", `	if lists[0].sum != lists[1].sum || messagesPart`, `	if false && lists[0].sum != lists[1].sum || messagesPart`},
	{"UIDNEXT falls with the lines at the end", "store/maildir/apply_uidlist.go", `		e.hdr.next = max(e.hdr.next, a.list.next())
`, ""},
	{"a uidlist's new lines are not synced", "store/maildir/apply_uidlist.go", `	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		if in`, `	if err == nil {
		if in`},
	{"a file is replaced by one that is not synced", "store/maildir/files.go", `	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = d.Rename`, `	err = errors.Join(err, f.Close())
	if err == nil {
		err = d.Rename`},
	{"a given-out UIDVALIDITY is not remembered", "store/maildir/uidvalidity.go", `	last, err := s.lastUIDValidity(d)
	if err != nil || v <= last || last == 0 {`, `	last, err := s.lastUIDValidity(d)
	if true || err != nil || v <= last || last == 0 {`},
	{"half-made renames are not completed", "store/maildir/journal.go", `	return s.complete(j)
}

// complete`, `	return nil
}

// complete`},
	{"a message's date is the time of its copy", "store/maildir/stage.go", "m.Received.Unix()*int64(time.Second)", "s.now().Unix()*int64(time.Second)"},
}
