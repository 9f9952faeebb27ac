package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/scenario"
	"dsync/store"
)

// judge knows what every replica has seen, and compares what runs do with it.
type judge struct {
	names  []string
	m      *Metrics
	next   int
	know   []*knowledge
	view   []shown                 // after the last look or run
	count  []map[string]int        // the same, of names
	loose  []map[string]bool       // things of which only presence is judged where the replica takes part
	made   map[string]int          // messages that clients made of a name
	gone   map[string]bool         // names of which a client, or a mirror, removed one
	copied []map[string]int        // copies that clients made of a name since the last look, which may not show them
	fewer  []bool                  // clients removed messages since the last look
	paths  map[string][]store.Name // that a mailbox had, anywhere
	apart  []bool                  // the replica heard from one whose log was lost: one message may count as two
	older  []bool                  // the mail is from before what the log knows, and no whole run has ended well since
	halted []bool                  // its end of the last run died, or could not write
	uids   []map[uidKey]string
	nexts  []map[boxKey]uint32
	holds  []map[boxKey]string // GUID that a path had under a UIDVALIDITY
}

type boxKey struct {
	path     store.Name
	validity uint32
}

type uidKey struct {
	boxKey
	uid uint32
}

func newJudge(names []string, m *Metrics) *judge {
	j := &judge{names: names, m: m, paths: map[string][]store.Name{}, made: map[string]int{}, gone: map[string]bool{}}
	for range names {
		j.know = append(j.know, newKnowledge())
		j.view = append(j.view, shown{})
		j.count = append(j.count, map[string]int{})
		j.loose = append(j.loose, map[string]bool{})
		j.apart = append(j.apart, false)
		j.older = append(j.older, false)
		j.halted = append(j.halted, false)
		j.copied = append(j.copied, map[string]int{})
		j.fewer = append(j.fewer, false)
		j.uids = append(j.uids, map[uidKey]string{})
		j.nexts = append(j.nexts, map[boxKey]uint32{})
		j.holds = append(j.holds, map[boxKey]string{})
	}
	return j
}

// common takes what all hold before the history: what each shows of a thing is the
// same write at all replicas.
func (j *judge) common(r int, l *scenario.Listing) {
	if r == 0 {
		j.look(0, l)
		return
	}
	now, count := look(l)
	j.know[r] = j.know[0].clone()
	j.noted(now)
	j.view[r], j.count[r] = now, count
}

// afresh: all replicas show the same, and a sweep changed nothing. Whatever was in doubt
// before, from now on it is one write that all have seen.
func (j *judge) afresh(l *scenario.Listing) {
	was := *j
	*j = *newJudge(j.names, j.m)
	j.uids, j.nexts, j.holds = was.uids, was.nexts, was.holds
	for r := range j.names {
		j.common(r, l)
	}
	for name := range was.gone {
		if j.count[0][name] == 0 {
			j.gone[name] = true // a restore may bring it back, and the log knows that it went
		}
	}
}

// befall: a log was lost, a store restored. Of what is known now only presence is
// judged from now on, here and wherever this replica has been since.
func (j *judge) befall(r int) {
	j.apart[r] = true
	for _, k := range j.know {
		for id := range k.things {
			j.loosen(r, id)
		}
	}
	j.know[r], j.view[r], j.count[r] = newKnowledge(), shown{}, nil
	j.uids[r], j.nexts[r], j.holds[r] = map[uidKey]string{}, map[boxKey]uint32{}, map[boxKey]string{}
}

// loosen has only presence judged of a thing, wherever replica r's word of it counts.
func (j *judge) loosen(r int, id string) { j.loose[r][id] = true }

// spread has what is in doubt at one of two replicas that met be in doubt at both.
func (j *judge) spread(a, b int) {
	maps.Copy(j.loose[a], j.loose[b])
	maps.Copy(j.loose[b], j.loose[a])
	j.apart[a] = j.apart[a] || j.apart[b]
	j.apart[b] = j.apart[a]
}

// look takes what clients changed at a replica since the last look or run.
func (j *judge) look(r int, l *scenario.Listing) {
	now, count := look(l)
	k, was := j.know[r], j.view[r]
	restored := j.count[r] == nil
	for name, n := range count {
		if restored {
			j.made[name] = max(j.made[name], n)
		} else {
			j.made[name] += max(0, n-j.count[r][name]) + j.unshown(r, name, n)
		}
		if n > 1 || j.made[name] > 1 { // there may be two of it, one here and one elsewhere
			j.loosen(r, isMessage+name)
		}
	}
	for name, n := range j.count[r] {
		if count[name] < n {
			j.gone[name] = true
		}
	}
	j.copied[r], j.fewer[r] = map[string]int{}, false
	for _, id := range keys(was, now) {
		t := k.things[id]
		if t == nil {
			t = thing{}
			k.things[id] = t
		}
		if now[id] == nil {
			t[place] = register{}
			continue
		}
		if was[id] == nil && t[place] != nil && !strings.HasPrefix(id, isSubscription) {
			j.loosen(r, id) // the same name again
		}
		for _, name := range keys(was[id], now[id]) {
			old, v := was[id][name], now[id][name]
			if name == number {
				continue
			}
			if old != v || name == place && cameBack(was[id], now[id]) {
				j.next++
				t[name] = register{j.next: v}
				k.seen[j.next] = true
			}
		}
	}
	for id := range now {
		if restored {
			j.loosen(r, id) // it may be of the past, and others know what became of it
		}
	}
	j.view[r], j.count[r] = now, count
	j.noted(now)
	j.forgive(r, l)
}

// unshown counts the copies of a name, of which there are n now, that a look does not
// show: where clients removed messages, it may be all.
func (j *judge) unshown(r int, name string, n int) int {
	if j.fewer[r] {
		return j.copied[r][name]
	}
	return max(0, j.copied[r][name]-max(0, n-j.count[r][name]))
}

// noted notes the paths of mailboxes.
func (j *judge) noted(now shown) {
	for id, regs := range now { // any order: each has a list of its own
		if n := store.Name(regs[place]); strings.HasPrefix(id, isMailbox) && !slices.Contains(j.paths[id], n) {
			j.paths[id] = append(j.paths[id], n)
		}
	}
}

// forgive forgets the UIDs of a path to which a client brought another mailbox of
// the same UIDVALIDITY: no fault of a run.
func (j *judge) forgive(r int, l *scenario.Listing) {
	for _, b := range l.Mailboxes {
		k := boxKey{b.Name, b.UIDValidity}
		if g, ok := j.holds[r][k]; ok && g != b.GUID {
			j.forget(r, k)
		}
		if !b.NoSelect {
			j.holds[r][k] = b.GUID
		}
	}
}

// forget forgets the UIDs of a path under a UIDVALIDITY.
func (j *judge) forget(r int, k boxKey) {
	delete(j.nexts[r], k)
	for u := range j.uids[r] {
		if u.boxKey == k {
			delete(j.uids[r], u)
		}
	}
}

// run judges one run: r are its two replicas, the first the source.
func (j *judge) run(s scenario.Step, r [2]int, before, after [2]*scenario.Listing, rep engine.Report) (broken []string) {
	for i := range r {
		j.look(r[i], before[i])
		j.cost(before[i], after[i])
	}
	j.m.Runs++
	switch {
	case !rep.Known || j.m.ConflictsReported < 0:
		j.m.ConflictsReported = -1
	default:
		j.m.ConflictsReported += len(rep.Conflicts)
	}
	if rep.Bytes < 0 || j.m.Bytes < 0 {
		j.m.Bytes = -1
	} else {
		j.m.Bytes += rep.Bytes
	}
	v := &verdict{j: j, s: s, r: r, before: before, after: after, rep: rep, meddled: map[string]bool{}}
	for i := range r {
		v.now[i], v.count[i] = look(after[i])
		_, v.had[i] = look(before[i])
	}
	for _, e := range rep.Events {
		v.meanwhile(e)
	}
	v.presence()
	switch {
	case s.Run.Partial():
		v.partial()
	case s.Verb == scenario.Backup:
		v.backup()
	case s.Verb == scenario.OneWay:
		v.oneWay()
	default:
		v.whole()
	}
	for i := range r {
		v.uids(i)
		v.tree(i)
		j.view[r[i]], j.count[r[i]] = v.now[i], v.count[i]
		j.noted(v.now[i])
	}
	j.spread(r[0], r[1])
	for i, name := range []string{s.At, s.With} {
		j.halted[r[i]] = s.Run != nil && (s.Run.Crash == name || s.Run.Crash == scenario.AllReplicas || s.Run.Full == name)
	}
	return v.broken
}

// cost counts what a run changed at one side.
func (j *judge) cost(before, after *scenario.Listing) {
	had := map[string]bool{}
	rows := map[string]scenario.Message{}
	boxes := map[store.Name]scenario.Mailbox{}
	places := map[string]store.Name{}
	for _, b := range before.Mailboxes {
		boxes[b.Name] = b
		if b.GUID != "" {
			places[b.GUID] = b.Name
		}
		for i, m := range b.Messages {
			had[m.Name] = true
			rows[rowKey(b, i)] = m
		}
	}
	for _, b := range after.Mailboxes {
		old, was := boxes[b.Name]
		delete(boxes, b.Name)
		if at, known := places[b.GUID]; !was || b.GUID != "" && known && at != b.Name {
			j.m.Operations++ // made, or renamed to this
		}
		if was && old.Attribute != b.Attribute {
			j.m.Operations++
		}
		if was && old.UIDValidity != 0 && old.UIDValidity != b.UIDValidity {
			j.m.UIDValidity++
			j.m.Operations++
		}
		for i, m := range b.Messages {
			k := rowKey(b, i)
			o, stayed := rows[k]
			delete(rows, k)
			if !stayed {
				j.m.Operations++
			} else if !slices.Equal(o.Flags, m.Flags) {
				j.m.Operations++
			}
			if stayed && o.UID != 0 && o.UID != m.UID {
				j.m.Renumbered++
				j.m.Operations++
			}
			if !had[m.Name] {
				j.m.Bodies++
				j.m.BodyBytes += m.Size
				had[m.Name] = true
			}
		}
	}
	j.m.Operations += len(boxes) + len(rows)
	for _, n := range before.Subscribed {
		if !slices.Contains(after.Subscribed, n) {
			j.m.Operations++
		}
	}
	for _, n := range after.Subscribed {
		if !slices.Contains(before.Subscribed, n) {
			j.m.Operations++
		}
	}
}

// rowKey names a message in a listing: the mailbox, the name, and which of those
// that share both.
func rowKey(b scenario.Mailbox, i int) string {
	n := 0
	for _, m := range b.Messages[:i] {
		if m.Name == b.Messages[i].Name {
			n++
		}
	}
	return fmt.Sprintf("%s\x00%s\x00%d", b.Name, b.Messages[i].Name, n)
}
