package listing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"dsync/store"
)

// ModSeqs is what a change log adds to a listing.
type ModSeqs interface {
	Replica() string
	Highest(store.Name) (m store.ModSeq, ok bool)
	Of(n store.Name, uid store.UID, guid store.GUID) (m store.ModSeq, ok bool)
}

// Options of a dump.
type Options struct {
	JSON bool
	// Wanted chooses mailboxes; nil: all.
	Wanted func(store.Name) bool
	Uses   map[string]string // special uses
	Log    ModSeqs           // nil: there is no log
}

// Result says what a dump could not show.
type Result struct {
	Mailboxes int          // shown
	Skipped   []store.Skip // damaged
	Unstable  []store.Name // changed while they were listed
}

type jsonMessage struct {
	UID      store.UID     `json:"uid"`
	GUID     string        `json:"guid"`
	Flags    []string      `json:"flags"`
	Keywords []string      `json:"keywords"`
	Received string        `json:"received"`
	Size     int64         `json:"size"`
	ModSeq   *store.ModSeq `json:"modseq"`
}

type jsonMailbox struct {
	Name        store.Name         `json:"name"`
	GUID        *string            `json:"guid"`
	UIDValidity *store.UIDValidity `json:"uidvalidity"`
	UIDNext     *store.UID         `json:"uidnext"`
	Highest     *store.ModSeq      `json:"highestmodseq"`
	Subscribed  bool               `json:"subscribed"`
	SpecialUse  *string            `json:"special_use"`
	Attributes  map[string]string  `json:"attributes"`
	Messages    []jsonMessage      `json:"messages"`
}

type dumper struct {
	Options
	w    io.Writer
	s    store.Store
	tree *store.Tree
	res  Result
}

// Dump writes the listing of a store.
func Dump(ctx context.Context, w io.Writer, s store.Store, o Options) (*Result, error) {
	tree, _, err := s.Tree(ctx)
	if err != nil {
		return nil, fmt.Errorf("list mailboxes: %w", err)
	}
	d := &dumper{Options: o, w: w, s: s, tree: tree}
	d.res.Skipped = tree.Skipped
	if err := d.all(ctx); err != nil {
		return nil, err
	}
	return &d.res, nil
}

func (d *dumper) all(ctx context.Context) error {
	if d.JSON {
		var replica *string
		if d.Log != nil {
			replica = some(d.Log.Replica())
		}
		if _, err := fmt.Fprintf(d.w, `{"replica":%s,"mailboxes":[`, encode(replica)); err != nil {
			return err
		}
	}
	for _, info := range ordered(d.tree) {
		if d.Wanted != nil && !d.Wanted(info.Name) {
			continue
		}
		if err := d.mailbox(ctx, info); err != nil {
			return err
		}
		d.res.Mailboxes++
	}
	if d.JSON {
		_, err := io.WriteString(d.w, "]}\n")
		return err
	}
	return d.account()
}

func ordered(t *store.Tree) []store.MailboxInfo {
	return slices.SortedFunc(slices.Values(t.Mailboxes), func(a, b store.MailboxInfo) int {
		return store.CompareNames(a.Name, b.Name)
	})
}

func (d *dumper) mailbox(ctx context.Context, info store.MailboxInfo) error {
	b := &Mailbox{Name: info.Name, NoSelect: true, Stable: true}
	if !info.NoSelect {
		var err error
		if b, err = read(ctx, d.s, info.Name); err != nil {
			return err
		}
	}
	out := d.describe(b)
	for i := range b.Messages {
		m, err := d.message(ctx, b, &b.Messages[i])
		switch {
		case err == nil:
			out.Messages = append(out.Messages, m)
		case vanished(err):
			b.Stable = false
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			b.Skipped = append(b.Skipped, store.Skip{Mailbox: b.Name, Item: string(b.Messages[i].Handle), Err: err})
		}
	}
	d.res.Skipped = append(d.res.Skipped, b.Skipped...)
	if !b.Stable {
		d.res.Unstable = append(d.res.Unstable, b.Name)
	}
	if d.JSON {
		comma := ","
		if d.res.Mailboxes == 0 {
			comma = ""
		}
		_, err := fmt.Fprintf(d.w, "%s%s", comma, encode(out))
		return err
	}
	return d.text(out)
}

func (d *dumper) describe(b *Mailbox) *jsonMailbox {
	out := &jsonMailbox{
		Name: b.Name, Subscribed: slices.Contains(d.tree.Subscriptions, b.Name),
		Attributes: map[string]string{}, Messages: make([]jsonMessage, 0, len(b.Messages)),
	}
	if use, ok := d.Uses[string(b.Name)]; ok {
		out.SpecialUse = &use
	}
	if b.NoSelect {
		return out
	}
	maps.Copy(out.Attributes, b.Status.Attributes)
	if !b.Status.GUID.IsZero() {
		out.GUID = some(b.Status.GUID.String())
	}
	if b.Status.UIDValidity != 0 {
		out.UIDValidity = some(b.Status.UIDValidity)
	}
	out.UIDNext = some(b.Status.UIDNext)
	if d.Log != nil {
		if h, ok := d.Log.Highest(b.Name); ok {
			out.Highest = some(h)
		}
	}
	return out
}

func (d *dumper) message(ctx context.Context, b *Mailbox, m *store.Message) (jsonMessage, error) {
	n, err := size(ctx, d.s, b.Name, m)
	out := jsonMessage{
		UID: m.UID, GUID: string(m.Content.GUID), Flags: m.Flags.Names(), Keywords: keywords(m),
		Received: m.Received.UTC().Format(time.RFC3339), Size: n,
	}
	if d.Log != nil {
		if s, ok := d.Log.Of(b.Name, m.UID, m.Content.GUID); ok {
			out.ModSeq = some(s)
		}
	}
	return out, err
}

// text writes a mailbox for people.
func (d *dumper) text(b *jsonMailbox) error {
	var w strings.Builder
	fmt.Fprintf(&w, "mailbox %q", string(b.Name))
	if b.UIDNext == nil {
		w.WriteString(" noselect")
	} else {
		fmt.Fprintf(&w, " guid=%s uidvalidity=%s uidnext=%d", orDash(b.GUID), orDash(b.UIDValidity), *b.UIDNext)
	}
	if b.Highest != nil {
		fmt.Fprintf(&w, " highestmodseq=%d", *b.Highest)
	}
	if b.Subscribed {
		w.WriteString(" subscribed")
	}
	if b.SpecialUse != nil {
		w.WriteString(" " + *b.SpecialUse)
	}
	w.WriteByte('\n')
	writeAttributes(&w, "  ", b.Attributes)
	for _, m := range b.Messages {
		fmt.Fprintf(&w, "  %d %q [%s] %s %d", m.UID, m.GUID, strings.Join(append(m.Flags, m.Keywords...), " "), m.Received, m.Size)
		if m.ModSeq != nil {
			fmt.Fprintf(&w, " modseq=%d", *m.ModSeq)
		}
		w.WriteByte('\n')
	}
	_, err := io.WriteString(d.w, w.String())
	return err
}

// account writes what belongs to no mailbox that is listed.
func (d *dumper) account() error {
	var w strings.Builder
	if d.Wanted == nil {
		for _, n := range d.tree.Subscriptions {
			there := slices.ContainsFunc(d.tree.Mailboxes, func(i store.MailboxInfo) bool { return i.Name == n })
			if !there {
				fmt.Fprintf(&w, "subscribed %q\n", string(n))
			}
		}
		writeAttributes(&w, "", d.tree.Attributes)
	}
	_, err := io.WriteString(d.w, w.String())
	return err
}

func writeAttributes(w *strings.Builder, indent string, attributes map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(w, "%sattribute %q %q\n", indent, k, attributes[k])
	}
}

func some[T any](v T) *T { return &v }

func orDash[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// encode is JSON on one line, "<" and "&" as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("listing: a value that cannot be JSON: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
