package argument

import (
	"strings"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
)

func TestDate(t *testing.T) {
	zone := time.FixedZone("X", 2*60*60)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, zone)
	for in, want := range map[string]string{
		"2026-01-02":           "2026-01-01T22:00:00Z",
		"2026-01-02 03:04:05":  "2026-01-02T01:04:05Z",
		"01-Jan-2026":          "2025-12-31T22:00:00Z",
		"1-jan-2026 10:00:00":  "2026-01-01T08:00:00Z",
		"2026-01-02T03:04:05Z": "2026-01-02T03:04:05Z",
		"0":                    "1970-01-01T00:00:00Z",
		"1700000000":           "2023-11-14T22:13:20Z",
		"4000000000":           "2096-10-02T07:06:40Z",
		"5d":                   "2026-02-24T10:00:00Z",
		"2weeks":               "2026-02-15T10:00:00Z",
		"1 week":               "2026-02-22T10:00:00Z",
		"90min":                "2026-03-01T08:30:00Z",
		"0s":                   "2026-03-01T10:00:00Z",
		" 2h ":                 "2026-03-01T08:00:00Z",
		"3Days":                "2026-02-26T10:00:00Z",
	} {
		got, err := Date(in, now)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("Date(%q) = %s, %v; want %s", in, got.UTC(), err, want)
		}
	}
	for _, in := range []string{
		"", "x", "-1", "2026-13-01", "2026-02-30", "99999999999999", "999999999999999999999", "5 d d", "5mo", "d", "30000weeks", "2026-01-02 25:00:00", "1.5d",
	} {
		if got, err := Date(in, now); err == nil {
			t.Errorf("Date(%q) = %s; want an error", in, got)
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "17": 17, "17B": 17, "1k": 1024, "10M": 10 << 20, "1GB": 1 << 30, "2TiB": 2 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := Size(in); err != nil || got != want {
			t.Errorf("Size(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "M", "-1", "1.5M", "10X", "10MX", "10 M", "9223372036854775808", "9007199254740992k", "99999999T"} {
		if got, err := Size(in); err == nil {
			t.Errorf("Size(%q) = %d; want an error", in, got)
		}
	}
}

func TestMaxDelete(t *testing.T) {
	for in, want := range map[string]engine.MaxDelete{
		"off":     {Off: true, Set: true, Count: -1, Percent: -1},
		"0":       {Set: true, Count: 0, Percent: -1},
		"7":       {Set: true, Count: 7, Percent: -1},
		"50%":     {Set: true, Count: -1, Percent: 50},
		"10,5%":   {Set: true, Count: 10, Percent: 5},
		"5%, 10":  {Set: true, Count: 10, Percent: 5},
		"100%":    {Set: true, Count: -1, Percent: 100},
		"2000000": {Set: true, Count: 2000000, Percent: -1},
	} {
		if got, err := MaxDelete(in); err != nil || got != want {
			t.Errorf("MaxDelete(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "on", "-1", "101%", "%", "1,2", "1%,2%", "1,2%,3", ",", "99999999999", "1e3"} {
		if got, err := MaxDelete(in); err == nil {
			t.Errorf("MaxDelete(%q) = %+v; want an error", in, got)
		}
	}
}

func TestFlag(t *testing.T) {
	for in, want := range map[string]string{`\seen`: `\Seen`, `-\Draft`: `-\Draft`, "work": "work", "-$Junk": "-$Junk"} {
		name, not, err := Flag(in)
		if not {
			name = "-" + name
		}
		if err != nil || name != want {
			t.Errorf("Flag(%q) = %q, %v; want %q", in, name, err, want)
		}
	}
	for _, in := range []string{"", "-", `\`, `\Recent`, "a b", "ü", `-\Nope`} {
		if name, _, err := Flag(in); err == nil {
			t.Errorf("Flag(%q) = %q; want an error", in, name)
		}
	}
}

func TestState(t *testing.T) {
	for in, want := range map[string]bool{
		"": true, "AQ==": true, "a+b/c=d_e.f-g": true, strings.Repeat("a", MaxState): true,
		"-a": false, "a b": false, "a\n": false, "ü": false, strings.Repeat("a", MaxState+1): false, "a\x00": false,
	} {
		if err := State(in); (err == nil) != want {
			t.Errorf("State(%.40q): %v", in, err)
		}
	}
}

func TestSeconds(t *testing.T) {
	if d, err := Seconds("30"); err != nil || d != 30*time.Second {
		t.Errorf("30: %v, %v", d, err)
	}
	for _, in := range []string{"", "-1", "30s", "1e9", "99999999999"} {
		if d, err := Seconds(in); err == nil {
			t.Errorf("Seconds(%q) = %v; want an error", in, d)
		}
	}
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-01-02 03:04:05", "01-Jan-2026", "1700000000", "2weeks", "5 d", "0"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Date(s, now)
		if err != nil {
			return
		}
		if got.IsZero() || got.Unix() > maxUnix {
			t.Errorf("Date(%q) = %s", s, got)
		}
		again, err := Date(got.UTC().Format(time.RFC3339), now)
		if err != nil || again.Unix() != got.Unix() {
			t.Errorf("Date(%q) = %s, read again %s, %v", s, got, again, err)
		}
	})
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"10M", "1GiB", "17", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := Size(s); err == nil && n < 0 {
			t.Errorf("Size(%q) = %d", s, n)
		}
		if d, err := MaxDelete(s); err == nil && (d.Count < -1 || d.Percent < -1 || d.Percent > 100) {
			t.Errorf("MaxDelete(%q) = %+v", s, d)
		}
	})
}

func FuzzState(f *testing.F) {
	for _, s := range []string{"", "AQ==", "-x", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if State(s) == nil && (strings.ContainsAny(s, " \t\r\n'\"$`\\;&|<>*?()") || strings.HasPrefix(s, "-")) {
			t.Errorf("State(%q): not safe on a command line", s)
		}
	})
}
