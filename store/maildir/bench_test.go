package maildir

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// manyMessages makes a mailbox of n empty files with a uidlist.
func manyMessages(b testing.TB, n int) *Store {
	b.Helper()
	o := Options{Path: testDir(b) + "/M"}
	s := create(b, o)
	var list strings.Builder
	fmt.Fprintf(&list, "3 V1700000000 N%d G0102030405060708090a0b0c0d0e0f10\n", n+1)
	for i := range n {
		base := fmt.Sprintf("1700%06d.M%06dP1234Q%d.mail.example.org,S=%d,W=%d", i, i*7%1000000, i, 4000+i%100, 4100+i%100)
		must(b, os.WriteFile(o.Path+"/cur/"+base+":2,S", nil, 0o600))
		fmt.Fprintf(&list, "%d :%s\n", i+1, base)
	}
	must(b, os.WriteFile(o.Path+"/"+uidlistName, []byte(list.String()), 0o600))
	time.Sleep(30 * time.Millisecond) // past the clock's grain: list once
	return s
}

func BenchmarkScan100k(b *testing.B) {
	s := manyMessages(b, 100000)
	b.ReportAllocs()
	for b.Loop() {
		sn, err := s.Scan(bg, store.Inbox, nil)
		must(b, err)
		var sum uint64
		for i := range sn.Len() {
			sum += sn.Hash(i)
		}
		if sn.Len() != 100000 || !sn.Stable() || sum == 0 {
			b.Fatal(sn.Len(), sn.Stable())
		}
	}
}

func BenchmarkDescribeUIDs100k(b *testing.B) {
	s := manyMessages(b, 100000)
	sn, err := s.Scan(bg, store.Inbox, nil)
	must(b, err)
	idx := make([]int, sn.Len())
	for i := range idx {
		idx[i] = i
	}
	b.ReportAllocs()
	for b.Loop() {
		sn.(*snapshot).uids = nil
		_, err := sn.DescribeUIDs(idx)
		must(b, err)
	}
}

func BenchmarkMailboxLook(b *testing.B) {
	s := create(b, Options{Path: testDir(b) + "/M"})
	must(b, s.CreateMailbox(bg, "A/B", store.Status{UIDValidity: 1, GUID: store.MailboxGUID{1}}))
	b.ReportAllocs()
	for b.Loop() {
		_, err := s.MailboxLook(bg, "A/B")
		must(b, err)
	}
}

func BenchmarkTree1000(b *testing.B) {
	s := create(b, Options{Path: testDir(b) + "/M"})
	for i := range 1000 {
		must(b, s.CreateMailbox(bg, store.Name(fmt.Sprintf("M%04d", i)), store.Status{}))
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := s.Tree(bg)
		must(b, err)
	}
}

func BenchmarkAppend20k(b *testing.B) {
	body := "Subject: x\n\n" + strings.Repeat("0123456789abcdef\n", 240)
	for b.Loop() {
		b.StopTimer()
		s := create(b, Options{Path: testDir(b) + "/M"})
		b.StartTimer()
		const n = 20000
		st := make([]*store.Staged, n)
		for i := range st {
			var err error
			st[i], err = s.Stage(bg, store.Inbox, store.NewMessage{
				Key: s.ChooseKey("", false), UID: store.UID(i + 1), Received: time.Unix(1700000000, 0),
			}, strings.NewReader(body))
			must(b, err)
		}
		must(b, s.SyncStaged(bg, st))
		res, err := s.Apply(bg, store.Inbox, &store.Change{UIDNextSeen: 1, Add: st})
		must(b, err)
		for _, d := range res.Add {
			must(b, d.Err)
		}
	}
}

// What syncfsFrom stands for: n new messages made durable one by one, or all of the
// file system at once, with and without what other programs have left to write.
func BenchmarkSync(b *testing.B) {
	for _, foreign := range []int{0, 1 << 20, 50 << 20} {
		for _, n := range []int{1, 2, 4, 8, 64, 256} {
			for _, whole := range []bool{false, true} {
				b.Run(fmt.Sprintf("foreign=%dMB/n=%d/syncfs=%t", foreign>>20, n, whole), func(b *testing.B) {
					syncFiles(b, n, foreign, whole)
				})
			}
		}
	}
}

func syncFiles(b *testing.B, n, foreign int, whole bool) {
	dir, err := fsys.OS{}.OpenRoot(b.TempDir())
	must(b, err)
	defer dir.Close()
	write := func(name string, size int) {
		f, err := dir.Create(name, 0o600)
		must(b, err)
		_, err = f.Write(make([]byte, size))
		must(b, errors.Join(err, f.Close()))
	}
	for b.Loop() {
		b.StopTimer()
		must(b, dir.SyncFS())
		write("foreign", foreign)
		for i := range n {
			write(fmt.Sprint(i), 4000)
		}
		b.StartTimer()
		if whole {
			must(b, dir.SyncFS())
		}
		for i := 0; i < n && !whole; i++ {
			f, err := dir.Open(fmt.Sprint(i))
			must(b, err)
			must(b, errors.Join(f.Sync(), f.Close()))
		}
		b.StopTimer()
		for i := range n {
			must(b, dir.Unlink(fmt.Sprint(i)))
		}
		must(b, dir.Unlink("foreign"))
		b.StartTimer()
	}
}
