package listing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dsync/store"
	"dsync/store/memory"
)

var at = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// sample is an account with two messages in INBOX and a mailbox below a parent.
func sample(t *testing.T, o memory.Options) (*memory.Store, *memory.Client) {
	t.Helper()
	s := memory.New(o)
	c := s.Client()
	must(t, c.CreateMailbox("a/b"))
	must(t, c.Subscribe("a/b"))
	must(t, c.SetAttribute("a/b", "/private/comment", "x<&>"))
	for i, body := range []string{"Subject: 1\n\nbody\n", "Subject: 2\r\n\r\nbody\r\n"} {
		_, err := c.DeliverGUID("INBOX", store.GUID(fmt.Sprintf("g%d", i+1)), []byte(body), store.Seen, []string{"b", "A"}, at)
		must(t, err)
	}
	return s, c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dump(t *testing.T, s store.Store, o Options) (string, *Result) {
	t.Helper()
	var w bytes.Buffer
	res, err := Dump(t.Context(), &w, s, o)
	must(t, err)
	return w.String(), res
}

func TestDumpJSON(t *testing.T) {
	s, _ := sample(t, memory.Options{})
	got, res := dump(t, s, Options{JSON: true, Uses: map[string]string{"a/b": `\Sent`}})
	if strings.Count(got, "\n") != 1 || !json.Valid([]byte(got)) || len(res.Skipped)+len(res.Unstable) != 0 {
		t.Fatalf("%s %+v", got, res)
	}
	for _, want := range []string{
		`{"replica":null,"mailboxes":[{"name":"INBOX","guid":"`,
		`"highestmodseq":null,"subscribed":false,"special_use":null,"attributes":{},"messages":[{"uid":1,"guid":"g1","flags":["\\Seen"],"keywords":["A","b"],"received":"2026-11-02T10:00:00Z","size":20,"modseq":null}`,
		`{"uid":2,"guid":"g2","flags":["\\Seen"],"keywords":["A","b"],"received":"2026-11-02T10:00:00Z","size":20,"modseq":null}]}`,
		`{"name":"a","guid":null,"uidvalidity":null,"uidnext":null,"highestmodseq":null,"subscribed":false,"special_use":null,"attributes":{},"messages":[]}`,
		`"subscribed":true,"special_use":"\\Sent","attributes":{"/private/comment":"x<&>"},"messages":[]}]}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

type fakeLog struct{}

func (fakeLog) Replica() string                           { return "r1" }
func (fakeLog) Highest(n store.Name) (store.ModSeq, bool) { return 9, n == store.Inbox }
func (fakeLog) Of(_ store.Name, uid store.UID, _ store.GUID) (store.ModSeq, bool) {
	return store.ModSeq(uid) * 3, uid == 2
}

func TestDumpWithLog(t *testing.T) {
	s, _ := sample(t, memory.Options{})
	got, _ := dump(t, s, Options{JSON: true, Log: fakeLog{}, Wanted: func(n store.Name) bool { return n == store.Inbox }})
	for _, want := range []string{`{"replica":"r1",`, `"highestmodseq":9`, `"size":20,"modseq":null}`, `"size":20,"modseq":6}`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, `"a/b"`) {
		t.Errorf("not wanted: %s", got)
	}
}

// Messages without UID get provisional ones in order of GUID, and the store gets
// nothing.
func TestProvisionalUIDs(t *testing.T) {
	s := memory.New(memory.Options{LateUIDs: true})
	c := s.Client()
	for _, g := range []store.GUID{"z", "x", "y"} {
		_, err := c.DeliverGUID("INBOX", g, []byte("a\n\nb"), 0, nil, at)
		must(t, err)
	}
	before := s.Dump()
	got, _ := dump(t, s, Options{})
	for i, g := range []string{"x", "y", "z"} {
		if want := fmt.Sprintf("  %d %q [] ", i+1, g); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if !strings.Contains(got, "uidvalidity=- uidnext=4") {
		t.Errorf("%s", got)
	}
	if s.Dump() != before {
		t.Errorf("changed:\n%s", s.Dump())
	}
}

// A damaged message is named and the rest is listed; a mailbox that changes each
// time it is listed is named.
func TestDamageAndChange(t *testing.T) {
	broken := errors.New("cannot be read")
	s, _ := sample(t, memory.Options{Fail: func(op string, n store.Name, item string) error {
		if op == memory.OpDescribe && strings.Contains(item, "2") && n == store.Inbox {
			return broken
		}
		return nil
	}})
	_, res := dump(t, s, Options{JSON: true})
	if len(res.Skipped) == 0 || !errors.Is(res.Skipped[0].Err, broken) {
		t.Errorf("skipped: %v", res.Skipped)
	}
	var c *memory.Client
	var n int
	s, c = sample(t, memory.Options{Hook: func(op string) {
		if op == memory.OpScanned && c != nil {
			n++
			_, err := c.Deliver("INBOX", []byte("x"), 0, nil, at)
			must(t, err)
		}
	}})
	_, res = dump(t, s, Options{JSON: true})
	if len(res.Unstable) == 0 || res.Unstable[0] != store.Inbox || n < tries {
		t.Errorf("unstable: %v after %d changes", res.Unstable, n)
	}
}

func TestCRLF(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "a": 1, "\n": 2, "\r\n": 2, "a\nb\r\nc\r": 9 - 1, "\r\r\n\n": 5, "\x00\n": 3} {
		var c crlfCounter
		for i := range len(in) {
			_, _ = c.Write([]byte{in[i]})
		}
		if c.n != want {
			t.Errorf("%q: %d, want %d", in, c.n, want)
		}
	}
}

func TestNamedSize(t *testing.T) {
	for key, want := range map[string]int64{
		"1.M1.h,S=10,W=12": 12, "1.M1.h,W=12,S=10": 12, "1.M1.h": -1, "x,W=9": -1, "x,W=21": -1, "x,W=": -1, "x,W=99999999999999999999": -1,
	} {
		got, ok := named(&store.Message{Key: key, Content: store.Content{Size: 10}})
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
}

func compare(t *testing.T, a, b store.Store, bodies bool) (out []Difference, res *Compared) {
	t.Helper()
	res, err := Compare(t.Context(), a, b, bodies, [2]More{}, func(d Difference) error {
		out = append(out, d)
		return nil
	})
	must(t, err)
	return out, res
}

// Each thing that law P1 names, changed alone, is found, from both sides.
func TestCompareEach(t *testing.T) {
	key := func(c *memory.Client, uid store.UID) string {
		m, err := c.ByUID("INBOX", uid)
		must(t, err)
		return m.Key
	}
	for name, c := range map[string]struct {
		change func(c *memory.Client) error
		what   string
	}{
		"create":      {func(c *memory.Client) error { return c.CreateMailbox("n") }, "mailbox"},
		"delete":      {func(c *memory.Client) error { return c.DeleteMailbox("a/b") }, "mailbox"},
		"select":      {func(c *memory.Client) error { return c.CreateMailbox("a") }, "mailbox"},
		"subscribe":   {func(c *memory.Client) error { return c.Subscribe("gone") }, "subscription"},
		"attribute":   {func(c *memory.Client) error { return c.SetAttribute("a/b", "/private/comment", "y") }, "attribute"},
		"uidnext":     {func(c *memory.Client) error { return c.RaiseUIDNext("INBOX", 77) }, "uidnext"},
		"uidvalidity": {func(c *memory.Client) error { return c.ResetUIDs("INBOX", 4000000000) }, "uidvalidity"},
		"flags":       {func(c *memory.Client) error { return c.SetFlags("INBOX", key(c, 1), store.Draft) }, "flags"},
		"keywords":    {func(c *memory.Client) error { return c.SetKeywords("INBOX", key(c, 1), "b") }, "flags"},
		"expunge":     {func(c *memory.Client) error { return c.Expunge("INBOX", key(c, 1)) }, "message"},
	} {
		a, _ := sample(t, memory.Options{})
		b := a.Clone()
		if d, res := compare(t, a, b, true); len(d) != 0 || res.Different+res.Backup != 0 {
			t.Fatalf("%s: clones differ: %v", name, d)
		}
		must(t, c.change(b.Client()))
		for _, pair := range [][2]store.Store{{a, b}, {b, a}} {
			d, res := compare(t, pair[0], pair[1], true)
			found := false
			for _, x := range d {
				found = found || strings.HasPrefix(x.What, c.what)
			}
			if !found || res.Different+res.Backup != len(d) {
				t.Errorf("%s: %v %+v; want %s", name, d, res, c.what)
			}
		}
	}
}

// Same names, other bytes, another date: only bodies tell.
func TestCompareBodies(t *testing.T) {
	var s [2]*memory.Store
	for i, body := range []string{"a\n\nbody", "a\n\nbodY"} {
		s[i] = memory.New(memory.Options{})
		_, err := s[i].Client().DeliverGUID("INBOX", "g", []byte(body), 0, nil, at.Add(time.Duration(i)*time.Second))
		must(t, err)
	}
	d, _ := compare(t, s[0], s[1], true)
	if len(d) != 2 || d[0].What != "received" || d[1].What != "body" {
		t.Errorf("%v", d)
	}
	if d, _ := compare(t, s[0], s[1], false); len(d) != 1 {
		t.Errorf("without bodies: %v", d)
	}
}

// What a backup leaves is named as such, in one direction, and only if it is all.
func TestCompareBackup(t *testing.T) {
	a, _ := sample(t, memory.Options{})
	b := a.Clone()
	must(t, b.Client().ResetUIDs("a/b", 4000000000))
	if d, res := compare(t, a, b, true); len(d) != 1 || !d[0].Backup || res.Backup != 1 || res.Different != 0 {
		t.Errorf("%v %+v", d, res)
	}
	if d, res := compare(t, b, a, true); len(d) != 1 || d[0].Backup || res.Different != 1 {
		t.Errorf("the other way: %v %+v", d, res)
	}
	must(t, b.Client().SetAttribute("a/b", "/private/comment", "z"))
	if d, res := compare(t, a, b, true); len(d) != 2 || res.Backup != 0 {
		t.Errorf("with another difference: %v %+v", d, res)
	}
}
