package changelog

import (
	"testing"

	"dsync/store"

	"pgregory.net/rapid"
)

func genDigest(t *rapid.T) (d Digest) {
	copy(d[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "digest"))
	return d
}

func TestDigestIsASum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genDigest(t), genDigest(t), genDigest(t)
		x, y := a, c
		x.Add(b)
		x.Add(c)
		y.Add(b)
		y.Add(a)
		if x != y {
			t.Fatal("the order counts")
		}
		x.Sub(c)
		x.Sub(b)
		if !x.Equal(a) {
			t.Fatal("Sub does not undo Add")
		}
		if p, err := ParseDigest(a.String()); err != nil || p != a {
			t.Fatalf("%v: %v, %v", a, p, err)
		}
	})
	one, all := Digest{15: 1}, Digest{}
	for i := range all {
		all[i] = 0xff
	}
	if all.Add(one); !all.IsZero() {
		t.Fatalf("2¹²⁸-1 + 1 is %v", all)
	}
	if all.Sub(one); all[0] != 0xff || all[15] != 0xff {
		t.Fatalf("0 - 1 is %v", all)
	}
}

// Every part counts, and the sum of two equal copies is not zero.
func TestMessageDigest(t *testing.T) {
	d := MessageDigest(1, "g", 2, store.Seen, []string{"A", "b"}, 3)
	for i, o := range []Digest{
		MessageDigest(2, "g", 2, store.Seen, []string{"A", "b"}, 3),
		MessageDigest(1, "h", 2, store.Seen, []string{"A", "b"}, 3),
		MessageDigest(1, "g", 3, store.Seen, []string{"A", "b"}, 3),
		MessageDigest(1, "g", 2, store.Draft, []string{"A", "b"}, 3),
		MessageDigest(1, "g", 2, store.Seen, []string{"A"}, 3),
		MessageDigest(1, "g", 2, store.Seen, []string{"Ab"}, 3),
		MessageDigest(1, "g", 2, store.Seen, []string{"A", "b"}, 4),
	} {
		if o == d {
			t.Errorf("case %d is taken for the same", i)
		}
	}
	if d != MessageDigest(1, "g", 2, store.Seen, []string{"B", "a", "b"}, 3) {
		t.Error("spelling or order of keywords counts")
	}
	if d.String() != "" && d != MessageDigest(1, "g", 2, store.Seen, []string{"a", "b"}, 3) {
		t.Error("not a function")
	}
	e := d
	if e.Add(d); e.IsZero() {
		t.Error("equal copies cancel")
	}
	if n := testing.AllocsPerRun(100, func() { MessageDigest(1, "1700012345.M123P1.host", 2, store.Seen, []string{"a", "b"}, 3) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAccountDigest(t *testing.T) {
	box := func(f func(*MailboxSummary)) []MailboxSummary {
		m := MailboxSummary{Path: "a", UIDValidity: 1, UIDNext: 2, Attributes: map[string]string{"k": "v"}}
		f(&m)
		return []MailboxSummary{{Path: "INBOX"}, m}
	}
	subs, attrs := []store.Name{"a", "b"}, map[string]string{"x": "y"}
	d := AccountDigest(box(func(*MailboxSummary) {}), subs, attrs)
	for i, o := range []Digest{
		AccountDigest(box(func(m *MailboxSummary) { m.Path = "b" }), subs, attrs),
		AccountDigest(box(func(m *MailboxSummary) { m.NoSelect = true }), subs, attrs),
		AccountDigest(box(func(m *MailboxSummary) { m.UIDValidity = 2 }), subs, attrs),
		AccountDigest(box(func(m *MailboxSummary) { m.UIDNext = 3 }), subs, attrs),
		AccountDigest(box(func(m *MailboxSummary) { m.Attributes = nil }), subs, attrs),
		AccountDigest(box(func(m *MailboxSummary) { m.Messages[0] = 1 }), subs, attrs),
		AccountDigest(box(func(*MailboxSummary) {}), subs[:1], attrs),
		AccountDigest(box(func(*MailboxSummary) {}), subs, nil),
	} {
		if o == d {
			t.Errorf("case %d is taken for the same", i)
		}
	}
	b := box(func(m *MailboxSummary) { m.Attributes["gone"] = "" })
	b[0], b[1] = b[1], b[0]
	if AccountDigest(b, []store.Name{"b", "a"}, attrs) != d {
		t.Error("the order of the lists, or a removed attribute, counts")
	}
}

func BenchmarkMessageDigest(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		MessageDigest(1, "1700012345.M123456P1234Q42.mail.example.org", 4321, store.Seen, nil, 1700012345)
	}
}
