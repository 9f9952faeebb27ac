package maildir

import (
	"context"
	"encoding/binary"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// A mailbox's print holds inode, mtime, ctime and size of cur, new, the uidlist,
// the keywords and our attributes. The uidlist's time of birth tells a file that
// grew from a new one whose inode number is used again.
const (
	printVersion = 1
	printFile    = 5 * 8 // one file in a print
	printCount   = 5
	printSize    = 1 + printCount*printFile
	printUIDList = 1 + 2*printFile // where the uidlist stands in a print
)

// A timestamp within the grain of now may hide a further change, unless the system
// gives a new one to each change after a look (fsys.FineTimes). Where all are whole
// seconds, so is the file system's clock.
const (
	fineGrain   = 20 * time.Millisecond
	coarseGrain = 2 * time.Second
	// A server's clock may be ahead of ours; a time further ahead was set by hand.
	maxAhead = time.Hour
)

// looker collects one look.
type looker struct {
	print  []byte
	times  []int64
	coarse bool
	fine   uint64 // device whose times tell every change
	now    time.Time
}

func newLooker(now time.Time, size int, fine uint64) *looker {
	return &looker{print: append(make([]byte, 0, size), printVersion), coarse: true, fine: fine, now: now}
}

func (l *looker) add(in fsys.Info, size bool) {
	b := l.print
	b = binary.BigEndian.AppendUint64(b, in.Ino)
	b = binary.BigEndian.AppendUint64(b, uint64(in.Mtime))
	b = binary.BigEndian.AppendUint64(b, uint64(in.Ctime))
	n := in.Size
	if !size {
		n = 0 // a directory's size is the file system's own business
	}
	b = binary.BigEndian.AppendUint64(b, uint64(n))
	l.print = binary.BigEndian.AppendUint64(b, uint64(in.Btime))
	for _, t := range []int64{in.Mtime, in.Ctime} {
		if t != 0 && in.Dev != l.fine {
			l.times = append(l.times, t)
			l.coarse = l.coarse && t%1e9 == 0
		}
	}
}

// look ends the look.
func (l *looker) look() store.Look {
	grain := fineGrain
	if l.coarse {
		grain = coarseGrain
	}
	now, racy := l.now.UnixNano(), false
	for _, t := range l.times {
		racy = racy || t > now-int64(grain) && t < now+int64(maxAhead)
	}
	return store.Look{Print: l.print, Racy: racy}
}

// MailboxLook is a handful of stat calls.
func (s *Store) MailboxLook(ctx context.Context, n store.Name) (store.Look, error) {
	defer s.opts.As.Enter()()
	if err := ctx.Err(); err != nil {
		return store.Look{}, err
	}
	p, err := s.find(n)
	if err != nil {
		return store.Look{}, err
	}
	return s.lookAt(p)
}

func (s *Store) lookAt(p place) (store.Look, error) {
	l := newLooker(s.now(), printSize, s.fine)
	in, err := p.root.Stat(join(p.rel, "cur"))
	if err != nil {
		return store.Look{}, s.noMailbox(p.name, err)
	}
	l.add(in, false)
	for _, f := range [...]struct {
		dir   fsys.Dir
		path  string
		file  bool
		birth bool
	}{
		{p.root, join(p.rel, "new"), false, false},
		{p.ctl, join(p.crel, uidlistName), true, true},
		{p.ctl, join(p.crel, keywordsName), true, false},
		{p.root, join(p.rel, attributesName), true, false},
	} {
		stat := f.dir.Stat
		if f.birth {
			stat = f.dir.StatBirth
		}
		in, err := stat(f.path)
		if err != nil && !missing(err) {
			return store.Look{}, err
		}
		l.add(in, f.file)
	}
	return l.look(), nil
}

// messagesPart is the part of a print that changes when a message comes, goes or
// is renamed.
func messagesPart(p store.Fingerprint) string {
	if len(p) < printUIDList {
		return ""
	}
	return string(p[:printUIDList])
}

// uidlistPart reads the uidlist out of a print.
func uidlistPart(p store.Fingerprint) (raw string, ino uint64, size int64, born int64, ok bool) {
	if len(p) != printSize || p[0] != printVersion {
		return "", 0, 0, 0, false
	}
	b := p[printUIDList : printUIDList+printFile]
	u := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return string(b), u(0), int64(u(3)), int64(u(4)), true
}
