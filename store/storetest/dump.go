package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"dsync/store"
)

// Dump lists any store canonically, as memory.Store.Dump describes: mailboxes
// by name with identity and attributes, messages by UID with GUID, flags,
// keywords, received date and size, subscriptions, attributes. An unstable
// listing, a skipped message or name is an error.
func Dump(ctx context.Context, s store.Store) (string, error) {
	return dumpWith(ctx, s, shown{guids: true, boxGUIDs: true, uids: true})
}

// DumpBodies is Dump with the start of each body's SHA-256 at the line's end.
func DumpBodies(ctx context.Context, s store.Store) (string, error) {
	return dumpWith(ctx, s, shown{guids: true, boxGUIDs: true, uids: true, bodies: true})
}

// shown says what a dump shows: two stores are compared in what both can keep.
type shown struct{ guids, boxGUIDs, uids, bodies bool }

type dumper struct {
	strings.Builder
	s store.Store
	shown
}

func dumpWith(ctx context.Context, s store.Store, sh shown) (string, error) {
	d := &dumper{s: s, shown: sh}
	tr, _, err := s.Tree(ctx)
	if err != nil {
		return "", fmt.Errorf("dump %s: %w", s.Location(), err)
	}
	if len(tr.Skipped) > 0 {
		return "", fmt.Errorf("dump %s: skipped %v", s.Location(), tr.Skipped)
	}
	for _, m := range tr.Mailboxes {
		if m.NoSelect {
			fmt.Fprintf(d, "mailbox %q noselect\n", m.Name)
			continue
		}
		if err := d.mailbox(ctx, m.Name); err != nil {
			return "", fmt.Errorf("dump %s: %q: %w", s.Location(), m.Name, err)
		}
	}
	for _, n := range tr.Subscriptions {
		fmt.Fprintf(d, "subscribed %q\n", n)
	}
	d.attributes("", tr.Attributes)
	return d.String(), nil
}

func (d *dumper) attributes(indent string, attrs map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		fmt.Fprintf(d, "%sattribute %q %q\n", indent, k, attrs[k])
	}
}

func (d *dumper) mailbox(ctx context.Context, n store.Name) error {
	sn, err := d.s.Scan(ctx, n, nil)
	if err != nil {
		return err
	}
	if !sn.Stable() {
		return fmt.Errorf("listing: %w", store.ErrChanged)
	}
	list, skips, err := sn.Describe(ctx, all(sn))
	if err != nil {
		return err
	}
	if len(skips) > 0 {
		return fmt.Errorf("skipped %v", skips)
	}
	st := sn.Status()
	fmt.Fprintf(d, "mailbox %q", n)
	if d.boxGUIDs {
		fmt.Fprintf(d, " guid=%s", st.GUID)
	}
	if d.uids {
		fmt.Fprintf(d, " uidvalidity=%d uidnext=%d", st.UIDValidity, st.UIDNext)
	}
	d.WriteByte('\n')
	d.attributes("  ", st.Attributes)
	return d.messages(ctx, n, list)
}

func (d *dumper) messages(ctx context.Context, n store.Name, list []store.Message) error {
	type line struct {
		uid  store.UID
		text string
	}
	var lines []line
	for _, m := range list {
		if !d.uids {
			m.UID = 0
		}
		guid := string(m.Content.GUID)
		if !d.guids {
			guid = ""
		}
		names := append(m.Flags.Names(), m.Keywords...)
		text := fmt.Sprintf("  %d %q [%s] %s %d", m.UID, guid, strings.Join(names, " "), m.Received.Format(time.RFC3339), m.Content.Size)
		if d.bodies {
			sum, err := d.body(ctx, n, m.Handle)
			if err != nil {
				return err
			}
			text += " " + sum
		}
		lines = append(lines, line{m.UID, text})
	}
	slices.SortFunc(lines, func(a, b line) int {
		if a.uid != b.uid {
			return int(int64(a.uid) - int64(b.uid))
		}
		return strings.Compare(a.text, b.text)
	})
	for _, l := range lines {
		d.WriteString(l.text + "\n")
	}
	return nil
}

func (d *dumper) body(ctx context.Context, n store.Name, h store.Handle) (string, error) {
	r, err := d.s.Open(ctx, n, h)
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6]), nil
}

// diff lists the lines that only one text has.
func diff(a, b string) string {
	var out strings.Builder
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, l := range la {
		if !slices.Contains(lb, l) {
			out.WriteString("- " + l + "\n")
		}
	}
	for _, l := range lb {
		if !slices.Contains(la, l) {
			out.WriteString("+ " + l + "\n")
		}
	}
	if out.Len() == 0 {
		return "the same lines in another order:\n" + a + "---\n" + b
	}
	return out.String()
}
