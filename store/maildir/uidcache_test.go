package maildir

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dsync/store"
)

// A list that was read in pieces is the list that is read at one go.
func TestExtendedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "a,S=3", "x", "y", "z"}), 0, 40).Draw(t, "names")
		head := "3 V7 N1 G0123456789abcdef0123456789abcdef\n"
		var lines []string
		for i, n := range names {
			lines = append(lines, fmt.Sprintf("%d G%d :%s\n", 3*i+1, i, n))
		}
		cut := rapid.IntRange(0, len(lines)).Draw(t, "cut")
		data := []byte(head)
		for _, l := range lines[:cut] {
			data = append(data, l...)
		}
		l := parseUIDList(data)
		for rest := lines[cut:]; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			var part []byte
			for _, s := range rest[:n] {
				part = append(part, s...)
			}
			l, rest = l.extended(part), rest[n:]
		}
		whole := []byte(head)
		for _, s := range lines {
			whole = append(whole, s...)
		}
		want := parseUIDList(whole)
		if !bytes.Equal(l.data, want.data) || len(l.recs) != len(want.recs) || l.next() != want.next() ||
			l.doubled != want.doubled || l.doubledFrom != want.doubledFrom {
			t.Fatalf("in pieces: %d lines, next %d, doubled %v at %d; at one go: %d, %d, %v at %d", len(l.recs), l.next(), l.doubled, l.doubledFrom,
				len(want.recs), want.next(), want.doubled, want.doubledFrom)
		}
		for i := range want.recs {
			base := string(want.data[want.recs[i].base:want.recs[i].end])
			if got, is := l.find(want.recs[i].hash, base), want.find(want.recs[i].hash, base); got != is {
				t.Fatalf("line of %q: %d, want %d", base, got, is)
			}
		}
	})
}

// What another program does to the uidlist between two of our changes is seen: a
// line added in place, and a file put in its place.
func TestUIDListOfOthersIsSeen(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "mail")
	s, err := Create(Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(key string, uid store.UID) {
		t.Helper()
		st, err := s.Stage(ctx, "INBOX", store.NewMessage{UID: uid, Key: key, Content: store.Content{GUID: store.GUID(key)}, Received: time.Unix(1, 0)}, bytes.NewReader([]byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Apply(ctx, "INBOX", &store.Change{Add: []*store.Staged{st}})
		if err != nil || res.Add[0].Err != nil {
			t.Fatal(err, res)
		}
	}
	next := func(want store.UID) {
		t.Helper()
		b, err := s.open("INBOX", false)
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		l, err := s.readUIDList(b.ctl)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.next(); got != want {
			t.Fatalf("next UID is %d, want %d", got, want)
		}
	}
	put("one", 0)
	put("two", 0)
	next(3)
	file := filepath.Join(dir, uidlistName)
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("9 :three\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	next(10)
	put("four", 0)
	next(11)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("9 :three\n"), []byte("8 :three\n"), 1)
	if err := os.WriteFile(file+".new", bytes.Replace(data, []byte("10 "), []byte("77 "), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	next(78)
}
