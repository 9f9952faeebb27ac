package storetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"dsync/store"
)

var bodyChecks = []check{
	{"BodiesByteForByte", checkBodies},
	{"Dates", checkDates},
	{"TooLarge", checkTooLarge},
}

// headerHash is the suite's own computing of store.HeaderHash.
func headerHash(body []byte) store.HeaderHash {
	head := body
	for rest := body; ; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			break
		}
		if len(line) == 0 || string(line) == "\r" {
			head = body[:len(body)-len(after)]
			break
		}
		rest = after
	}
	sum := sha256.Sum256(head[:min(len(head), store.MaxHeader)])
	return store.HeaderHash(sum[:16])
}

// bodies are the mails that stores like to spoil.
func bodies(r *rand.Rand) map[string][]byte {
	random := make([]byte, 5<<20)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	return map[string][]byte{
		"empty":                {},
		"no header":            []byte("\n"),
		"no final newline":     []byte("Subject: x\n\nlast line"),
		"only a header":        []byte("Subject: x\r\n"),
		"LF":                   []byte("Subject: x\n\nbody\n"),
		"CRLF":                 []byte("Subject: x\r\n\r\nbody\r\n"),
		"mixed ends":           []byte("A: x\r\nB: y\n\r\nbody\n\r\n\r"),
		"bare CR":              []byte("Subject: x\r\rbody\r\n\rmore\r"),
		"NUL":                  []byte("Subject: \x00\n\n\x00\x00body\x00"),
		"8-bit":                []byte("Subject: \xe4\xff\xfe\n\n\x80\xff"),
		"From line":            []byte("From me Mon Jan  1 00:00:00 2026\nSubject: x\n\nFrom the start\n>From here\n"),
		"dots":                 []byte("Subject: x\r\n\r\n.\r\n..\r\n"),
		"200 kB header line":   append(append([]byte("X: "), bytes.Repeat([]byte("h"), 200<<10)...), "\n\nbody\n"...),
		"2 MB header":          append(bytes.Repeat([]byte("X: y\n"), 2<<20/5), "\nbody\n"...),
		"5 MB of random bytes": append([]byte("Subject: r\n\n"), random...),
	}
}

func checkBodies(f *fixture) {
	f.box("a")
	uid := store.UID(1)
	for what, body := range bodies(f.rng) {
		st := f.stage("a", f.draft(uid), body)
		f.same(st.Content.Size, int64(len(body)), "size of %s, staged", what)
		f.same(st.Content.Hash, headerHash(body), "header hash of %s, staged", what)
		r := f.applied("a", &store.Change{Add: []*store.Staged{st}})
		f.reads("a", r.Add[0].Handle, body)
		f.same(f.byHandle("a", r.Add[0].Handle).Content.Size, int64(len(body)), "size of %s", what)
		uid++
	}
}

func checkDates(f *fixture) {
	f.box("a")
	for i, d := range []time.Time{
		time.Unix(0, 0), time.Unix(1, 0), time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), time.Unix(1<<31-1, 0),
		time.Unix(1<<31, 0), time.Date(2096, 2, 29, 12, 0, 0, 0, time.UTC), date.In(time.FixedZone("", 7200)),
	} {
		m := f.draft(store.UID(i + 1))
		m.Received = d
		got := f.add("a", m, f.mail())
		f.same(got.Received, d.UTC(), "received date")
		r := f.applied("a", &store.Change{Flags: []store.FlagChange{{Handle: got.Handle, Flags: store.Seen}}})
		f.same(f.byHandle("a", r.Flags[0].Handle).Received, d.UTC(), "received date after a flag change")
	}
}

func checkTooLarge(f *fixture) {
	limit := f.caps.MaxMessageSize
	f.need(limit > 0 && limit < 64<<20, "small size limit")
	f.unchanged("a message over the limit", func() {
		_, err := f.s.Stage(f.ctx, store.Inbox, f.draft(1), bytes.NewReader(make([]byte, limit+1)))
		f.wraps(err, store.ErrUnsupported, "stage %s", fmt.Sprint(limit+1, " bytes"))
	})
}
