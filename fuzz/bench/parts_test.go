package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-quick", "-rounds", "3", "-scenarios", "S2,S1", "-tools", "cp"}, io.Discard)
	if err != nil || o.rounds != 3 || o.bigRounds != 1 || o.small.Messages != 200 || !reflect.DeepEqual(o.scenarios, []string{"S2", "S1"}) {
		t.Errorf("%+v %v", o, err)
	}
	o, err = parseOptions(nil, io.Discard)
	if err != nil || o.rounds != 5 || o.small.Messages != 20_000 || o.large.Messages != 100_000 || o.many.total() != 100_000 {
		t.Errorf("%+v %v", o, err)
	}
	for _, bad := range []string{"-scenarios=S9", "-tools=rsync", "-rounds=0", "-small=x", "-nothing", "word", "-changes=60000"} {
		if _, err := parseOptions([]string{bad}, io.Discard); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestCountCalls(t *testing.T) {
	got, err := countCalls(strings.NewReader(`101 fsync(3) = 0
101   fdatasync(4 <unfinished ...>
102 renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0) = 0
101 <... fdatasync resumed>) = 0
102 rename("fsync(", "b") = -1 ENOENT (No such file or directory)
102 linkat(AT_FDCWD, "a", AT_FDCWD, "b", 0) = 0
102 +++ exited with 0 +++
103 --- SIGCHLD {si_signo=SIGCHLD} ---
syncfs(5) = 0
sync() = 0
`))
	want := map[string]int{"fsync": 1, "fdatasync": 1, "rename*": 2, "link*": 1, "syncfs, sync": 2}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestParseCounters(t *testing.T) {
	c, err := parseCounters("{\"names_listed\":5}\n{\"names_listed\":1,\"entries_compared\":2,\"files_opened\":3,\"state\":\"x\"}\n")
	if err != nil || *c.NamesListed != 1 || *c.EntriesCompared != 2 || *c.FilesOpened != 3 || c.state != "x" {
		t.Errorf("%+v %v", c, err)
	}
	for _, bad := range []string{"", "state", `{"names_listed":1}`} {
		if _, err := parseCounters(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSpread(t *testing.T) {
	samples := []sample{{Wall: 3 * time.Second}, {Wall: time.Second}, {Wall: 2 * time.Second}}
	if s := spreadOf(samples, wallSeconds); s != (spread{2, 1, 3}) {
		t.Errorf("odd: %v", s)
	}
	if s := spreadOf(samples[:2], wallSeconds); s != (spread{2, 1, 3}) {
		t.Errorf("even: %v", s)
	}
	if s := spreadOf(nil, wallSeconds); s != (spread{}) {
		t.Errorf("none: %v", s)
	}
}

func TestFingerprintSeesEveryChange(t *testing.T) {
	root := filepath.Join(t.TempDir(), "mail")
	write := func(path, text string, date int64) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Unix(date, 0), time.Unix(date, 0)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(growth int64) fingerprint {
		t.Helper()
		f, err := fingerprintOf(root, growth)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	reset := func() fingerprint {
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		write("cur/a:2,S", "text", 1)
		write(".M/cur/b:2,", "text", 2)
		write(".M/dovecot-uidlist", "x", 3)
		return read(0)
	}
	start := reset()
	if start.Messages != 2 {
		t.Fatalf("%+v", start)
	}
	for name, change := range map[string]func(){
		"flag":    func() { os.Rename(filepath.Join(root, "cur/a:2,S"), filepath.Join(root, "cur/a:2,FS")) },
		"size":    func() { write("cur/a:2,S", "texts", 1) },
		"date":    func() { write("cur/a:2,S", "text", 5) },
		"removed": func() { os.Remove(filepath.Join(root, "cur/a:2,S")) },
		"added":   func() { write("new/c", "text", 1) },
		"moved":   func() { os.Rename(filepath.Join(root, "cur/a:2,S"), filepath.Join(root, ".M/cur/a:2,S")) },
	} {
		reset()
		change()
		if read(0) == start {
			t.Errorf("%s: not seen", name)
		}
	}
	reset()
	os.Rename(filepath.Join(root, "cur/a:2,S"), filepath.Join(root, "cur/other:2,S"))
	if read(0) != start {
		t.Error("another name of the same message is no change")
	}
	if read(1) == start {
		t.Error("growth is not taken into account")
	}
}

// Figures from the reference baseline: a dsync as fast as asked meets every
// target, one a little slower misses it.
func TestJudge(t *testing.T) {
	build := func(slower float64) *report {
		r := &report{}
		seconds := func(s float64) time.Duration { return time.Duration(s * slower * float64(time.Second)) }
		enter := func(kind string, d dataset, tool string, wall, cpu time.Duration, mb int64) *section {
			s := r.section("", kind, d)
			s.row(tool).Samples = []sample{{Wall: wall, User: cpu, RSS: mb << 10}}
			return s
		}
		small := dataset{Name: "small", Messages: 20_000, Mailboxes: 1}
		large := dataset{Name: "large", Messages: 100_000, Mailboxes: 1}
		many := dataset{Name: "many", Messages: 100, Mailboxes: 1000}
		peer := func(kind string, d dataset, tool string, s float64) {
			v := time.Duration(s * float64(time.Second))
			enter(kind, d, tool, v, v, 10)
		}
		peer(kindFirst, small, "doveadm", 32)
		peer(kindFirst, small, "mbsync", 8)
		peer(kindFirst, small, "cp", 2)
		peer(kindUnchanged, large, "doveadm", 0.5)
		peer(kindUnchanged, large, "mbsync", 0.2)
		peer(kindUnchanged, many, "doveadm", 0.12)
		peer(kindChanged, large, "doveadm", 3)
		peer(kindChanged, large, "mbsync", 0.3)
		memory := int64(64 * slower)
		enter(kindFirst, small, "dsync", seconds(4), 0, 0)
		enter(kindFirst, large, "dsync", seconds(4*5*1.25*slower), 0, int64(128*slower))
		zero, one := int64(0), int64(slower-0.5)
		for _, d := range []dataset{small, large, many} {
			v := 0.1
			if d == small {
				v /= 1.25 * slower
			}
			s := enter(kindUnchanged, d, "dsync", 0, seconds(v), memory)
			s.Counters = &counters{NamesListed: &zero, EntriesCompared: &zero, FilesOpened: &one}
		}
		enter(kindChanged, large, "dsync", 0, seconds(0.3), memory)
		users := dataset{Name: "users", Messages: 50, Mailboxes: 1, Users: 1000}
		peer(kindFirst, users, "doveadm", 10)
		enter(kindFirst, users, "dsync", seconds(2), 0, 0)
		enter(kindUnchanged, users, "dsync", seconds(0.2), 0, 0)
		enter(kindUnchanged, users, fewLogs, 0, time.Second, 0)
		enter(kindUnchanged, users, manyLogs, 0, seconds(1.25), int64(1024*slower)).Opened = []time.Duration{1, seconds(1)}
		enter(kindFull, large, "dsync", 0, 0, int64(128*slower))
		return r
	}
	for _, c := range []struct {
		slower  float64
		verdict string
	}{{0.99, "met"}, {1.6, "**missed**"}} {
		for _, target := range judge(build(c.slower)) {
			if target.Verdict != c.verdict {
				t.Errorf("%v times as slow: %+v, want %s", c.slower, target, c.verdict)
			}
		}
	}
	for _, target := range judge(&report{}) {
		if target.Verdict != "not measured" {
			t.Errorf("nothing measured: %+v", target)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 20000: "20,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
