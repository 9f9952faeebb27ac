package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/merge"
	"dsync/replay"
	"dsync/store"
)

var sideNames = [2]string{"near", "far"}

// collect takes what a session did into the report.
func (r *run) collect() {
	if r.res == nil {
		return
	}
	r.collectSides()
	r.addFar()
	if r.res.Outcome != nil {
		r.outcome()
	}
	r.missingNames()
}

// collectSides takes what was done to the sides of this process.
func (r *run) collectSides() {
	r.rep.Skipped, r.rep.Again = nil, nil
	for i, l := range r.res.Looks {
		if l == nil {
			continue
		}
		r.rep.Compared += l.Compared
		r.rep.Warnings = append(r.rep.Warnings, l.Warnings...)
		for _, s := range l.Skipped {
			if errors.Is(s.Err, store.ErrIgnored) {
				r.warn("%s: %s", sideNames[i], s)
				continue
			}
			exit := ExitOf(s.Err)
			if exit == ExitInternal {
				exit = ExitData
			}
			r.item(Item{Side: sideNames[i], Mailbox: s.Mailbox, What: s.Item, Reason: s.Err.Error(), Exit: exit})
		}
		for _, n := range l.Doubt {
			r.item(Item{Side: sideNames[i], Mailbox: n, What: "mailbox", Reason: "it changed while it was looked at", Exit: ExitAgain})
		}
		if l.Braked != "" {
			r.item(Item{Side: sideNames[i], What: "safety brake", Reason: l.Braked, Exit: ExitData})
		}
	}
	for i, e := range r.res.Ends {
		if e == nil {
			continue
		}
		var all replay.Report
		for _, p := range e.Reports() {
			r.part(i, p)
			for n, u := range p.Unshown {
				all.NoteUnshown(n, u.Keywords, u.Messages)
			}
		}
		r.unshown(i, all.Unshown)
		if r.o.DryRun && e.Player != nil {
			r.steps(i, e.Player.Plan, r.policy)
		}
	}
}

// part takes what became of one part of the plan at one side.
func (r *run) part(i int, p *replay.Report) {
	r.counts(i, p)
	for _, f := range p.Failed {
		exit := ExitOf(f.Err)
		if errors.Is(f.Err, store.ErrNoMailbox) || errors.Is(f.Err, store.ErrNoMessage) {
			exit = ExitAgain
		}
		if exit == ExitInternal {
			exit = ExitTemp
		}
		r.item(Item{Side: sideNames[i], Mailbox: f.Mailbox, GUID: f.GUID, What: f.What, Reason: f.Err.Error(), Exit: exit})
	}
}

// unshown warns, once for each mailbox, of keywords that it has no room for.
func (r *run) unshown(i int, all map[store.Name]*replay.Unshown) {
	for _, n := range slices.SortedFunc(maps.Keys(all), store.CompareNames) {
		r.warn("%s: %q keeps no more keywords: %.200s (messages: %d) in the change log alone, not shown",
			sideNames[i], string(n), strings.Join(all[n].Keywords, " "), all[n].Messages)
	}
}

func (r *run) outcome() {
	out := r.res.Outcome
	r.rep.Equal = out.Equal
	r.rep.Compared += out.Compared
	if r.link != nil {
		r.rep.RoundTrips = r.link.Trips()
	}
	r.rep.Warnings = append(r.rep.Warnings, out.Far...)
	for _, d := range out.Decisions {
		r.rep.Conflicts = append(r.rep.Conflicts, conflictOf(d))
	}
	r.rules()
	for _, n := range out.LeftOut {
		r.item(Item{Side: sideNames[0], Mailbox: n, What: "mailbox", Exit: ExitAgain,
			Reason: "its UIDVALIDITY differs, which a run limited to some mail cannot settle: run once without -t, -e, -I and -O"})
	}
	if src := r.source(); r.o.Mode == Backup && !out.Equal && r.restored(src) {
		r.item(Item{Side: sideNames[src], What: "account", Exit: ExitData,
			Reason: "it is older than its change log, and what it lacks was not taken for deleted: sync it once, then back it up"})
	}
	if r.unexplained() && r.res.Whole {
		r.item(Item{Side: sideNames[0], What: "account", Reason: "both sides still differ after a full comparison; run again, and if that does not help, please report it", Exit: ExitAgain})
	}
}

// restored reports whether a side is older than its log.
func (r *run) restored(side int) bool {
	if l := r.res.Looks[side]; l != nil {
		return l.Restored
	}
	return side == 1 && r.far != nil && r.far.Restored
}

func conflictOf(d merge.Decision) Conflict {
	return Conflict{Rule: d.Rule, Name: d.Name, Mailbox: d.Mailbox, UID: d.UID, GUID: d.GUID, Kept: d.Kept, Lost: d.Lost, Reason: d.Reason}
}

func (r *run) item(it Item) {
	if it.Exit == ExitAgain {
		r.rep.Again = append(r.rep.Again, it)
	} else {
		r.rep.Skipped = append(r.rep.Skipped, it)
	}
}

func (r *run) counts(i int, p *replay.Report) {
	r.rep.Sides[i].add(&Side{Copied: p.Copied, Bytes: p.Bytes, Moved: p.Moved, Expunged: p.Expunged, Flags: p.Flags, Renumbered: p.Renumbered,
		Created: p.Created, Renamed: p.Renamed, Deleted: p.Deleted, Subscribed: p.Subscribed, Attributes: p.Attributes})
}

// add adds what another count has.
func (s *Side) add(p *Side) {
	s.Copied += p.Copied
	s.Bytes += p.Bytes
	s.Moved += p.Moved
	s.Expunged += p.Expunged
	s.Flags += p.Flags
	s.Renumbered += p.Renumbered
	s.Created += p.Created
	s.Renamed += p.Renamed
	s.Deleted += p.Deleted
	s.Subscribed += p.Subscribed
	s.Attributes += p.Attributes
}

// finish computes the exit status.
func (r *run) finish(err error) {
	exits := []int{}
	for _, it := range r.rep.Skipped {
		exits = append(exits, it.Exit)
	}
	for _, it := range r.rep.Again {
		exits = append(exits, it.Exit)
	}
	if err != nil {
		exit := ExitOf(err)
		if errors.Is(err, context.Canceled) {
			exit = ExitTemp
			err = fmt.Errorf("interrupted; what was done stands, the next run goes on from there: %w", err)
		}
		r.rep.Err = err
		exits = append(exits, exit)
	}
	r.rep.Exit = Combine(exits...)
	// Equal digests are no promise where something is still to be done: a store that
	// was restored shows less than its log has.
	r.rep.Equal = r.rep.Equal && r.rep.Exit == ExitOK
}

// steps prints a plan.
func (r *run) steps(i int, p *replay.Plan, policy *merge.Policy) {
	add := func(s Step) {
		s.Side = sideNames[i]
		r.rep.Plan = append(r.rep.Plan, s)
	}
	for _, m := range p.Renames {
		add(Step{Do: "rename", Mailbox: m.From, To: m.To})
	}
	for _, b := range p.Creates {
		add(Step{Do: "create", Mailbox: b.Path})
	}
	for _, n := range p.Subscribe {
		add(Step{Do: "subscribe", Mailbox: n})
	}
	for _, n := range p.Unsubscribe {
		add(Step{Do: "unsubscribe", Mailbox: n})
	}
	for _, k := range slices.Sorted(maps.Keys(p.Attrs)) {
		add(Step{Do: "attribute", What: k + "=" + p.Attrs[k]})
	}
	for _, b := range p.Boxes {
		for _, it := range b.Adds {
			add(Step{Do: "copy", Mailbox: b.Path, UID: it.Out.UID, GUID: it.Out.Content.GUID})
		}
		for _, it := range b.Moves {
			add(Step{Do: "move", Mailbox: it.From.Path, To: b.Path, UID: it.Out.UID, GUID: it.Out.Content.GUID})
		}
		for _, it := range b.Flags {
			add(Step{Do: "flags", Mailbox: b.Path, UID: it.Out.UID, GUID: it.Out.Content.GUID,
				What: fmt.Sprintf("%v %v -> %v %v", it.Rec.ShownFlags, it.Rec.Counted(), policy.Flags(it.Out), policy.Keywords(it.Out))})
		}
		for _, it := range b.UIDs {
			add(Step{Do: "renumber", Mailbox: b.Path, UID: it.Out.UID, GUID: it.Out.Content.GUID, What: fmt.Sprintf("was uid %d", it.Rec.UID)})
		}
		for _, it := range b.Expunges {
			add(Step{Do: "expunge", Mailbox: b.Path, UID: it.Rec.UID, GUID: it.Rec.Content.GUID})
		}
		if b.Numbers && b.Was != nil {
			add(Step{Do: "uidvalidity", Mailbox: b.Path, What: fmt.Sprintf("%d -> %d", b.Was.UIDValidity, b.Node.UIDValidity)})
		}
	}
	for _, b := range p.Doomed {
		add(Step{Do: "delete", Mailbox: b.Path})
	}
}

// rules names, at each step of a plan, the rule that decided about the same message,
// or about the same mailbox as a whole.
func (r *run) rules() {
	for i := range r.rep.Plan {
		s := &r.rep.Plan[i]
		for _, c := range r.rep.Conflicts {
			same := c.GUID != "" && c.GUID == s.GUID || c.GUID == "" && s.GUID == "" && (c.Mailbox == s.Mailbox || c.Mailbox == s.To)
			if same && c.Mailbox != "" {
				s.Rule, s.Reason = c.Rule, "kept "+c.Kept+", overrode "+c.Lost
				break
			}
		}
	}
}
