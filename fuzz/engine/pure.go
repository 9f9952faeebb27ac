package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dsync/changelog"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/merge"
	"dsync/store"
)

// Pure is the merge alone: replicas that are nothing but views and seen-sets
// (fuzz/pure). It is the fastest engine, and judges its own laws as well. Modes
// mean nothing to it.
type Pure struct {
	Cover *pure.Coverage // if not nil: counts the cells of the matrix that are hit
}

// Name implements Engine.
func (Pure) Name() string { return "pure" }

// Start implements Engine.
func (e Pure) Start(set Setup) (World, error) {
	p, err := set.policy(nil)
	if err != nil {
		return nil, err
	}
	w := pure.NewWorld(len(set.Replicas), p)
	w.Cover = e.Cover
	return &pureWorld{set: set, w: w, names: map[string]string{}, whole: true}, nil
}

type pureWorld struct {
	set     Setup
	w       *pure.World
	names   map[string]string // of contents that share a GUID, by what stands for their bytes
	pending []string          // laws broken outside of a run
	whole   bool              // P18 can be asked: no log was lost, no clock wrong
}

// arg gives the content under which fuzz/pure knows a message: what follows the
// slash stands for the bytes, and must tell all such contents apart.
func (p *pureWorld) arg(name string) string {
	guid, _, other := strings.Cut(name, "/")
	if !other {
		return name
	}
	for k, n := range p.names { // any order: names are there once
		if n == name {
			return guid + "/" + k
		}
	}
	k := "c" + strconv.Itoa(len(p.names)+1)
	p.names[k] = name
	return guid + "/" + k
}

func (p *pureWorld) name(c store.Content) string {
	if n, ok := p.names[strings.TrimRight(string(c.Hash[:]), "\x00")]; ok {
		return n
	}
	return string(c.GUID)
}

// Do implements World.
func (p *pureWorld) Do(s scenario.Step) error {
	switch s.Verb {
	case scenario.Damage:
		return unsupported(s)
	case scenario.Restore:
		if s.Value != "" {
			return unsupported(s)
		}
	case scenario.Tick:
		for range max(1, int64(time.Duration(s.Span)/time.Second)) {
			p.run(pure.Op{Verb: pure.Tick})
		}
		return nil
	case scenario.Clock:
		p.whole = false
		p.run(pure.Op{Verb: pure.Skew, R: p.set.index(s.At), Arg: strconv.FormatInt(int64(time.Duration(s.Span)/time.Second), 10)})
		return nil
	case scenario.LoseLog, scenario.Clone:
		p.whole = false
	}
	var shown *scenario.Mailbox
	if s.Message != "" && s.Verb != scenario.Deliver {
		shown = mailbox(p.list(p.w.R[p.set.index(s.At)]), s.Mailbox)
	}
	for _, o := range operations(p.set, s, shown) {
		if o.Verb == pure.Append {
			o.Arg = p.arg(o.Arg)
		}
		p.run(o)
		if s.Received != 0 {
			p.receive(o, s.Received)
		}
	}
	return nil
}

// run makes one operation; what law it breaks is told with the next run.
func (p *pureWorld) run(o pure.Op) {
	if err := p.w.Run(o); err != nil {
		p.pending = append(p.pending, err.Error())
	}
}

// receive dates the message just delivered.
func (p *pureWorld) receive(o pure.Op, when scenario.Moment) {
	r := p.w.R[o.R]
	s := r.Layout().ByPath[o.Path]
	if s == nil || s.Holder == nil || len(r.In(s)) == 0 {
		return
	}
	ms := r.In(s)
	ms[len(ms)-1].Received = int64(when)
}

// Sync implements World.
func (p *pureWorld) Sync(s scenario.Step) (Report, error) {
	policy, err := p.set.policy(s.Run)
	if err != nil {
		return Report{}, err
	}
	o := pure.Op{Verb: pure.SyncWhole, R: p.set.index(s.At), Peer: p.set.index(s.With)}
	switch s.Verb {
	case scenario.OneWay:
		o.Verb = pure.OneWay
	case scenario.Backup:
		o.Verb = pure.Backup
	}
	if s.Run.Partial() {
		if o, err = partial(s, o); err != nil {
			return Report{}, err
		}
	}
	p.w.Policy = policy
	told := len(p.w.Reported)
	p.run(o)
	rep := Report{Known: true, Bytes: -1, Broken: p.pending}
	p.pending = nil
	var ds []merge.Decision
	if len(p.w.Reported) >= told {
		ds = p.w.Reported[told:]
	}
	rep.Conflicts = conflicts(ds)
	a, b := p.w.R[p.set.index(s.At)], p.w.R[p.set.index(s.With)]
	if s.Verb == scenario.Sync && a.Dump(policy, true) != b.Dump(policy, true) {
		rep.Exit = 2
	}
	return rep, nil
}

// partial makes a run one that carries less than everything, or is disturbed.
func partial(s scenario.Step, o pure.Op) (pure.Op, error) {
	r := s.Run
	limited := limits(s)
	whole := o.Verb == pure.SyncWhole && len(r.Only)+len(r.Except) == 0 && r.Since == 0 && r.Before == 0
	switch {
	case o.Verb == pure.SyncWhole && len(r.Only) == 1 && limited == "m:"+string(r.Only[0]):
		o.Verb, o.Path = pure.SyncBox, r.Only[0]
	case limited != "":
		o.Verb, o.Arg = pure.Limited, limited
	case whole && r.Cut == 0 && r.Fail == "" && r.Crash != "" && r.CrashAt <= 1:
		o.Verb = pure.Half
		if r.Crash == s.With {
			o.R, o.Peer = o.Peer, o.R
		}
	case whole && r.Cut == 0 && r.Crash == "" && r.Fail != "":
		o.Verb, o.Arg = pure.Partly, r.Fail
	default:
		return o, unsupported(s)
	}
	return o, nil
}

// Final judges what can be asked of the whole world at its end: P18.
func (p *pureWorld) Final() []string {
	out := p.pending
	if p.whole {
		if err := p.w.Associative(); err != nil {
			out = append(out, err.Error())
		}
	}
	return out
}

// List implements World.
func (p *pureWorld) List(replica string) (*scenario.Listing, error) {
	i := p.set.index(replica)
	if i < 0 {
		return nil, fmt.Errorf("no replica %q", replica)
	}
	return p.list(p.w.R[i]), nil
}

func (p *pureWorld) list(r *pure.Replica) *scenario.Listing {
	out := &scenario.Listing{}
	l := r.Layout()
	for _, s := range l.Slots {
		if !s.Shown {
			continue
		}
		b := scenario.Mailbox{Name: s.Path, NoSelect: s.Holder == nil}
		if s.Holder != nil {
			b.GUID, b.UIDValidity, b.UIDNext = s.Holder.GUID().String(), uint32(s.Holder.UIDValidity), uint32(s.Holder.UIDNext)
			b.Attribute = s.Holder.Attributes()["/shared/comment"]
			for _, m := range r.In(s) {
				b.Messages = append(b.Messages, p.message(m))
			}
		}
		out.Mailboxes = append(out.Mailboxes, b)
	}
	slices.SortFunc(out.Mailboxes, func(a, b scenario.Mailbox) int { return cmp.Or(store.CompareNames(a.Name, b.Name)) })
	out.Subscribed = r.Tree.Subscriptions(l)
	return out
}

func (p *pureWorld) message(m *changelog.Message) scenario.Message {
	flags := p.w.Policy.Flags(m).Names()
	flags = append(flags, p.w.Policy.Keywords(m)...)
	slices.Sort(flags)
	return scenario.Message{UID: uint32(m.UID), Name: p.name(m.Content), Flags: flags, GUID: string(m.Content.GUID), Received: scenario.Moment(m.Received), Size: m.Content.Size}
}

// Close implements World.
func (p *pureWorld) Close() error { return nil }

func decimal(n int) string { return strconv.Itoa(n) }
