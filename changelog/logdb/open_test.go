package logdb

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dsync/store"
)

// The child of TestBusy: holds the database until its input ends.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOGDB_TEST_HOLD"); dir != "" {
		d, err := Open(dir, Options{})
		fmt.Println("held", err)
		os.Stdin.Read(make([]byte, 1))
		d.Close()
		return
	}
	os.Exit(m.Run())
}

// A database that another process holds is waited for, then is ErrBusy with that
// process's number.
func TestBusy(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "LOGDB_TEST_HOLD="+dir)
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	if n, _ := out.Read(line); !strings.HasPrefix(string(line[:n]), "held <nil>") {
		t.Fatalf("child says %q", line[:n])
	}
	start := time.Now()
	_, err := Open(dir, Options{LockWait: 100 * time.Millisecond})
	if !errors.Is(err, store.ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", c.Process.Pid)) {
		t.Errorf("error %v, want busy with pid %d", err, c.Process.Pid)
	}
	if d := time.Since(start); d < 100*time.Millisecond || d > 5*time.Second {
		t.Errorf("waited %v", d)
	}
	time.AfterFunc(50*time.Millisecond, func() { in.Close() })
	d, err := Open(dir, Options{LockWait: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("second open in one process: %v", err)
	}
	if err := errors.Join(d.Close(), c.Wait()); err != nil {
		t.Error(err)
	}
}

// ReadOnly makes nothing, writes nothing and needs a database that is there.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir+"/none", Options{ReadOnly: true}); !errors.Is(err, store.ErrGone) {
		t.Errorf("%v, want ErrGone", err)
	}
	if _, err := os.Stat(dir + "/none"); err == nil {
		t.Error("the directory was made")
	}
	if _, err := Open(dir, Options{ReadOnly: true}); !errors.Is(err, store.ErrGone) {
		t.Errorf("empty directory: %v, want ErrGone", err)
	}
	d, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, newAccount(t, d, 7), 0, 50, 50)
	d.Close()
	d, err = Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.Account(7)
	if err != nil {
		t.Fatal(err)
	}
	mustClean(t, a)
	b := a.Batch()
	b.PutIntent(Intent{Kind: 1})
	if err := b.Commit(true); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("commit: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewerFormat(t *testing.T) { onBoth(t, testNewerFormat) }

func testNewerFormat(t *testing.T, fresh func() Options) {
	o := fresh()
	d := openMem(t, o)
	key, val := prefix(nil, 0, famFormat), []byte{0, 0, 0, 0, Format + 1}
	seal(key, val)
	raw(t, d, key, &val)
	d.Close()
	if _, err := Open("log", o); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
	if _, err := Open("log", o); !errors.Is(err, ErrFormat) { // the lock was given back
		t.Fatal(err)
	}
}

// FuzzValues: whatever a decoder of this package accepts is the one way to write
// it, and the rest is an error.
func FuzzValues(f *testing.F) {
	r := message(3)
	f.Add(byte(0), appendRecord(nil, r))
	f.Add(byte(0), appendRecord(nil, &Record{Message: r.Message}))
	f.Add(byte(0), appendRecord(nil, &Record{Message: r.Message, ShownKeywords: []string{"a"}, Unshown: []string{"b"}}))
	m := testMeta(7)
	f.Add(byte(1), appendMeta(nil, &m))
	f.Add(byte(2), appendListing(nil, []Listed{{Path: "INBOX", Node: testGUID(1)}}))
	f.Add(byte(3), appendPeers(nil, []Peer{{Replica: testReplicas[2], LastMet: 5}}))
	f.Add(byte(4), appendMailbox(nil, &Mailbox{GUID: testGUID(1), Path: "a", Status: store.Status{Attributes: map[string]string{"k": "v"}}, Skipped: []Note{{"a", "b"}}}))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		var again []byte
		var err error
		switch which % 5 {
		case 0:
			var v *Record
			if v, err = decodeRecord(b); err == nil {
				again = appendRecord(nil, v)
			}
		case 1:
			var v *Meta
			if v, err = decodeMeta(b); err == nil {
				again = appendMeta(nil, v)
			}
		case 2:
			var v []Listed
			if v, err = decodeListing(b); err == nil {
				again = appendListing(nil, v)
			}
		case 3:
			var v []Peer
			if v, err = decodePeers(b); err == nil {
				again = appendPeers(nil, v)
			}
		case 4:
			var v *Mailbox
			if v, err = decodeMailbox(b); err == nil {
				again = appendMailbox(nil, v)
			}
		}
		if err == nil && string(again) != string(b) {
			t.Fatalf("accepted %x, which is written %x", b, again)
		}
		decodeChunk(b)
		decodeReport(b)
		decodeIntent(b)
	})
}
