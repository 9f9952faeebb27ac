package engine

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"dsync/changelog"
	"dsync/changelog/recorder"
	"dsync/cmd/internal/choose"
	"dsync/merge"
	"dsync/store"
)

// filter turns the run's limits into what a merge asks; text names them for both
// ends and for the state.
func (r *run) filter() (*merge.Filter, string, error) {
	f := &r.o.Filter
	if !f.limits() {
		return nil, "", nil
	}
	out := &merge.Filter{TreeOnly: f.TreeOnly}
	box, err := r.mailboxFilter()
	if err != nil {
		return nil, "", err
	}
	out.Mailbox = box
	if !f.Since.IsZero() || !f.Before.IsZero() || f.MaxSize > 0 || f.Flag != "" {
		out.New = r.newFilter()
	}
	return out, r.filterText(), nil
}

func (r *run) filterText() string {
	f := r.o.Filter
	var b strings.Builder
	fmt.Fprintf(&b, "m=%q g=%v x=%q", f.Mailboxes, f.GUIDs, f.Exclude)
	if !f.Since.IsZero() {
		fmt.Fprintf(&b, " t=%d", f.Since.Unix())
	}
	if !f.Before.IsZero() {
		fmt.Fprintf(&b, " e=%d", f.Before.Unix())
	}
	fmt.Fprintf(&b, " I=%d O=%q,%v tree=%v", f.MaxSize, f.Flag, f.FlagNot, f.TreeOnly)
	return b.String()
}

func (r *run) filterPrint() (p [16]byte) {
	if r.o.Filter.limits() {
		h := sha256.Sum256([]byte(r.filterText()))
		copy(p[:], h[:])
	}
	return p
}

// dots reports whether "." separates levels too: on Maildir++ names cannot hold it.
func (r *run) dots() bool {
	if r.o.dots != nil {
		return *r.o.dots
	}
	return !strings.Contains(r.o.Near, "LAYOUT=fs") && !strings.Contains(r.o.Far, "LAYOUT=fs")
}

func (r *run) mailboxFilter() (func(store.Name, []store.MailboxGUID) bool, error) {
	f := &r.o.Filter
	if len(f.Mailboxes)+len(f.GUIDs)+len(f.Exclude) == 0 {
		return nil, nil
	}
	uses := r.o.SpecialUse
	if uses == nil {
		uses = choose.Customary()
	}
	want := map[store.Name]bool{}
	for _, m := range f.Mailboxes {
		ns, err := choose.Named(m, r.dots(), uses)
		if err != nil {
			return nil, fmt.Errorf("-m: %w", err)
		}
		for _, n := range ns {
			want[n] = true
		}
	}
	var masks []string
	for _, x := range f.Exclude {
		if choose.IsUse(x) {
			ns, err := choose.Named(x, r.dots(), uses)
			if err != nil {
				return nil, fmt.Errorf("-x: %w", err)
			}
			for _, n := range ns {
				masks = append(masks, string(n))
			}
			continue
		}
		masks = append(masks, choose.Mask(x, r.dots())...)
	}
	some := len(f.Mailboxes)+len(f.GUIDs) > 0
	return func(path store.Name, guids []store.MailboxGUID) bool {
		if slices.ContainsFunc(masks, func(m string) bool { return choose.Match(m, path) }) {
			return false
		}
		return !some || want[path] || slices.ContainsFunc(guids, func(g store.MailboxGUID) bool { return slices.Contains(f.GUIDs, g) })
	}, nil
}

func (r *run) newFilter() func(*changelog.Message) bool {
	f, p := r.o.Filter, r.policy
	return func(m *changelog.Message) bool {
		if !f.Since.IsZero() && m.Received < f.Since.Unix() || !f.Before.IsZero() && m.Received >= f.Before.Unix() {
			return false
		}
		if f.MaxSize > 0 && m.Content.Size > f.MaxSize {
			return false
		}
		if f.Flag == "" {
			return true
		}
		has := false
		if fl, ok := store.ParseFlag(f.Flag); ok {
			has = p.Flags(m)&fl != 0
		} else {
			has = slices.ContainsFunc(p.Keywords(m), func(k string) bool { return store.FoldKeyword(k) == store.FoldKeyword(f.Flag) })
		}
		return has != f.FlagNot
	}
}

// missingNames warns of -m names that neither side has.
func (r *run) missingNames() {
	if r.res == nil || r.res.Looks[0] == nil {
		return
	}
	found := r.found()
	for i, m := range r.o.Filter.Mailboxes {
		there := found[i]
		if r.far != nil && i < len(r.far.Found) {
			there = there || r.far.Found[i]
		}
		if !there && (r.link == nil || r.far != nil) {
			r.warn("-m %s: neither side has such a mailbox", m)
		}
	}
}

// found tells which of the names of -m a side of this process has.
func (r *run) found() []bool {
	uses := r.o.SpecialUse
	if uses == nil {
		uses = choose.Customary()
	}
	out := make([]bool, len(r.o.Filter.Mailboxes))
	for i, m := range r.o.Filter.Mailboxes {
		ns, _ := choose.Named(m, r.dots(), uses)
		out[i] = slices.ContainsFunc(ns, func(n store.Name) bool {
			return slices.ContainsFunc(r.res.Looks[:], func(l *recorder.Look) bool {
				if l == nil {
					return false
				}
				s := l.Layout.ByPath[n]
				return s != nil && s.Shown
			})
		})
	}
	return out
}
