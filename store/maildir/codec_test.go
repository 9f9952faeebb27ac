package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dsync/store"
)

func TestMUTF7Vectors(t *testing.T) {
	for plain, enc := range map[string]string{
		"": "", "INBOX": "INBOX", "a&b": "a&-b", "Entwürfe": "Entw&APw-rfe", "日本語": "&ZeVnLIqe-", "~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		"😀": "&2D3eAA-", "&": "&-", "a\tb": "a&AAk-b",
	} {
		if got := encodeMUTF7(plain); got != enc {
			t.Errorf("encode %q: %q, want %q", plain, got, enc)
		}
		if got, err := decodeMUTF7(enc); err != nil || got != plain {
			t.Errorf("decode %q: %q, %v", enc, got, err)
		}
	}
	for _, bad := range []string{"&", "&A", "&AAA", "&AA-", "&AGE-", "&APx-", "&2D0-", "&3gA-", "ü", "&APw-&APw-", "&APw=-", "\x01", "&AP w-"} {
		if got, err := decodeMUTF7(bad); !errors.Is(err, errMUTF7) {
			t.Errorf("decode %q: %q, %v", bad, got, err)
		}
	}
}

func TestMUTF7RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		got, err := decodeMUTF7(encodeMUTF7(s))
		if err != nil || got != s {
			t.Fatalf("%q: %q, %v", s, got, err)
		}
	})
}

func FuzzMUTF7(f *testing.F) {
	for _, s := range []string{"", "&-", "Entw&APw-rfe", "&2D3eAA-", "&AAA", "&&-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := decodeMUTF7(s); err == nil && encodeMUTF7(d) != s {
			t.Fatalf("%q decodes to %q", s, d)
		}
	})
}

func FuzzUIDList(f *testing.F) {
	for _, s := range []string{
		"", "3 V1 N1\n", "3 V1795467032 N9 G3ffc841818a7046b701b000083ecc375 Zx\n1 :a\n3 W12 S9 Gmy :b,S=9\n9 P5 O1 :c:2,S\n",
		"1 77 5\n1 old:2,S\n4 x\n", "3 V0 N1\n", "3 V1 N1\n2 :b\n1 :a\n2 :c\n", "3 V1 N1\n1 :torn", "\x00\xff\n\n\n", "3 V1 N4294967295\n4294967295 :x\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := parseUIDList(data)
		if l.lost {
			return
		}
		e := newUIDEdit(l)
		e.hdr.next = l.next()
		l2 := parseUIDList(e.encode())
		if l2.lost || l2.damaged > 0 || len(l2.recs) != len(l.recs) || l2.hdr.valid != l.hdr.valid || l2.hdr.guid != l.hdr.guid {
			t.Fatalf("%q became %q", data, e.encode())
		}
		for i := range l.recs {
			if l.recs[i].uid != l2.recs[i].uid || l.recs[i].hash != l2.recs[i].hash || l.guid(i) != l2.guid(i) ||
				!l.v1 && !bytes.Equal(l.fields(i), l2.fields(i)) {
				t.Fatalf("line %d of %q", i, data)
			}
		}
	})
}

func TestUIDListKeepsForeignFields(t *testing.T) {
	const text = "3 V5 N2 G0102030405060708090a0b0c0d0e0f10 Xfoo Qbar\n1 W1 S2 P3 O4 Ghello Zz :one,S=2:2,S\n7 :two\n"
	l := parseUIDList([]byte(text))
	if l.next() != 8 || l.guid(0) != "hello" || l.guid(1) != "two" {
		t.Fatalf("%+v", l)
	}
	e := newUIDEdit(l)
	if got := string(e.encode()); got != text {
		t.Fatalf("%q", got)
	}
	e.added = []uidLine{{uid: 3, base: "new", fields: "W1"}, {uid: 9, base: "last"}}
	e.drop[1] = true
	want := strings.Replace(strings.Replace(text, "7 :two\n", "", 1), "S\n", "S\n3 W1 :new\n9 :last\n", 1)
	if got := string(e.encode()); got != want {
		t.Fatalf("%q", got)
	}
}

func FuzzKeywords(f *testing.F) {
	f.Add([]byte("0 $Work\n1 x\n25 z\n"))
	f.Add([]byte("0 a\n0 b\n1 A\n26 c\n-1 d\nx\n 3 q\n5 é\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		kw := parseKeywords(data)
		kw2 := parseKeywords(kw.encode())
		if kw.names != kw2.names || !slices.Equal(kw.other, kw2.other) {
			t.Fatalf("%q: %+v, then %+v", data, kw, kw2)
		}
	})
}

func FuzzSubscriptions(f *testing.F) {
	for _, s := range []string{"V\t2\n\nA\tB\n", "A.B\nINBOX\n", "", "V\t2\n", "..\n\n&\n", "V\t3\n\nx\n"} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, fs bool) {
		l := newLayout(Options{Path: "/x", FS: fs})
		s := parseSubscriptions(data)
		names, _ := s.names(l)
		again, _ := parseSubscriptions(s.encode()).names(l)
		if !slices.Equal(names, again) {
			t.Fatalf("%q: %q, then %q", data, names, again)
		}
		for _, n := range names {
			if n.Check() != nil {
				t.Fatalf("bad name %q", n)
			}
		}
	})
}

func FuzzAttributes(f *testing.F) {
	f.Add(encodeAttributes(map[string]string{"a": "b", "/private/x": "ü\n\x00"}))
	f.Add([]byte("dsync-attributes 1\nsum 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decodeAttributes(data); err == nil && len(data) > 0 && !bytes.Equal(encodeAttributes(m), data) {
			t.Fatalf("%q", data)
		}
	})
}

func FuzzMarkAndJournal(f *testing.F) {
	f.Add(encodeMark(store.Mark{Replica: "r", Counter: 7}))
	f.Add((&journal{state: stateMoving, moves: []journalMove{{"a b", "c", movePrefix + "0", 5}, {"d", "", movePrefix + "1", 6}}}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decodeMark(data); err == nil && !bytes.Equal(encodeMark(m), data) {
			t.Fatalf("mark %q", data)
		}
		if j, err := decodeJournal(data); err == nil && !bytes.Equal(j.encode(), data) {
			t.Fatalf("journal %q", data)
		}
	})
}

func TestAttributesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.String(), rapid.StringN(1, -1, -1)).Draw(t, "m")
		got, err := decodeAttributes(encodeAttributes(m))
		if err != nil || !maps.Equal(got, m) {
			t.Fatalf("%q: %q, %v", m, got, err)
		}
	})
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"a:2,S", "a,S=5,W=6:2,FSab", "a:2,PaZ", "a", "a:3,x", "a:2,S,x", ":2,", "a:2,:2,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		base, let, rest := splitName(s)
		if strings.Contains(base, ":") || strings.Contains(let, ",") {
			t.Fatalf("%q: %q %q %q", s, base, let, rest)
		}
		if again := base + ":2," + makeLetters(parseFlags(let), "", foreignLetters(let, nil)) + rest; !goodFileName(s) || base == "" {
			_ = again
		} else if b, l, r := splitName(again); b != base || parseFlags(l) != parseFlags(let) || r != rest {
			t.Fatalf("%q: %q", s, again)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{".A.B", ".INBOX.foo", ".inbox", "..", ".a..b", ".&APw-", ".~x", ".a\x00b", "cur"} {
		f.Add(s, false, false)
	}
	f.Fuzz(func(t *testing.T, dir string, fs, utf bool) {
		l := newLayout(Options{Path: "/x", FS: fs, UTF8: utf})
		levels := strings.Split(strings.TrimPrefix(dir, "."), l.sep)
		n, err := l.nameOf(levels)
		if err != nil {
			return
		}
		if n != store.Inbox && strings.TrimPrefix(l.dir(n), map[bool]string{false: ".", true: ""}[fs]) != strings.Join(levels, l.sep) {
			t.Fatalf("%q is %q is %q", dir, n, l.dir(n))
		}
	})
}

func TestLocation(t *testing.T) {
	for _, s := range []string{
		"maildir:/x", "maildir:/x:LAYOUT=fs:UTF-8:CONTROL=/c:INBOX=/i:INDEX=/n:SUBSCRIPTIONS=subs:DIRNAME=d",
	} {
		o, err := ParseLocation(s)
		if err != nil || o.String() != s {
			t.Errorf("%s: %s, %v", s, o, err)
		}
	}
	for s, word := range map[string]string{
		"maildir:/x:FOO=1": `"FOO"`, "mbox:/x": "maildir:PATH", "maildir:": "no path", "maildir:/x:LAYOUT=z": "LAYOUT=z",
		"maildir:/x:DIRNAME=d": "DIRNAME", "maildir:/x:LAYOUT=fs:DIRNAME=..": "..",
	} {
		if _, err := ParseLocation(s); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestMeter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"\n", "\r\n", "\r", "A: b", "\n\n", "\r\n\r\n", "x", "\x00"})).Draw(t, "parts")
		body := []byte(strings.Join(parts, ""))
		whole := newMeter()
		if len(body) > 0 {
			whole.add(body)
		}
		pieces := newMeter()
		for rest := body; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			pieces.add(rest[:n])
			rest = rest[n:]
		}
		crlf := strings.ReplaceAll(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n", "\r\n")
		if whole.hash() != pieces.hash() || whole.vsize() != pieces.vsize() || int(whole.vsize()) != len(crlf) {
			t.Fatal(fmt.Sprintf("%q: %d %d %d", body, whole.vsize(), pieces.vsize(), len(crlf)))
		}
	})
}
