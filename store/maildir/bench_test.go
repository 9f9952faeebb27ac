package maildir

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dsync/store"
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
