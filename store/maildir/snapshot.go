package maildir

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// snapshot is one listing. The uidlist is read when it is first needed.
type snapshot struct {
	s      *Store
	name   store.Name
	since  store.Fingerprint
	look   store.Look
	stable bool
	list   *listing
	kw     *keywords
	hash   *hasher
	status store.Status
	broken bool // the uidlist is lost
	uids   *uidList
	told   bool // Describe has given the skips of the listing
}

var _ store.Snapshot = (*snapshot)(nil)

func (sn *snapshot) Status() store.Status { return sn.status }
func (sn *snapshot) Look() store.Look     { return sn.look }
func (sn *snapshot) Stable() bool         { return sn.stable }
func (sn *snapshot) Len() int             { return len(sn.list.entries) }

// Hash mixes base name, letters and the keywords they stand for.
func (sn *snapshot) Hash(i int) uint64 {
	return sn.hash.visible(sn.list.hashes[i], sn.list.letters(i))
}

// UIDsStand: the uidlist is the very file of then, or that file with lines
// added, none of which names a message that had a line before.
func (sn *snapshot) UIDsStand() bool {
	was, ino, size, born, ok := uidlistPart(sn.since)
	if !ok {
		return false
	}
	is, ino2, size2, born2, _ := uidlistPart(sn.look.Print)
	if was == is {
		return true
	}
	if ino == 0 || ino != ino2 || born == 0 || born != born2 || size2 < size {
		return false
	}
	l, err := sn.uidlist()
	if err != nil || l.lost {
		return false
	}
	return !l.doubled || int64(l.doubledFrom) < size
}

func (sn *snapshot) uidlist() (*uidList, error) {
	if sn.uids != nil {
		return sn.uids, nil
	}
	b, err := sn.s.open(sn.name, false)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if sn.uids, err = sn.s.readUIDList(b.ctl); err != nil {
		return nil, err
	}
	return sn.uids, nil
}

// NoRoom goes by the letters that are left.
func (sn *snapshot) NoRoom(keywords []string) []string { return sn.kw.noRoom(keywords) }

// DescribeUIDs takes names and uidlist alone.
func (sn *snapshot) DescribeUIDs(idx []int) ([]store.Message, error) {
	l, err := sn.uidlist()
	if err != nil {
		return nil, err
	}
	out := make([]store.Message, len(idx))
	for k, i := range idx {
		sn.describe(&out[k], i, l)
	}
	return out, nil
}

func (sn *snapshot) describe(m *store.Message, i int, l *uidList) {
	m.Handle = sn.list.handle(i)
	name := string(m.Handle[len("cur/"):])
	base, let, _ := splitName(name)
	m.Key = base
	m.Hash = sn.Hash(i)
	m.Flags = parseFlags(let)
	m.Keywords = sn.kw.of(let)
	m.Content.GUID = store.GUID(base)
	if r := l.find(sn.list.hashes[i], base); r >= 0 {
		m.UID = l.recs[r].uid
		if g := lineGUID(string(l.fields(r))); g != "" {
			m.Content.GUID = g
		}
	}
}

// Describe adds what stat tells. A file that was renamed since the listing is
// looked for once more under its base name; one that is not there any more is
// left out.
func (sn *snapshot) Describe(ctx context.Context, idx []int) ([]store.Message, []store.Skip, error) {
	l, err := sn.uidlist()
	if err != nil {
		return nil, nil, err
	}
	b, err := sn.s.open(sn.name, false)
	if err != nil {
		return nil, nil, err
	}
	defer b.close()
	var skipped []store.Skip
	if !sn.told {
		sn.told = true
		skipped = append(skipped, sn.list.skipped...)
		if k := sn.kw.unread(sn.name); k != nil {
			skipped = append(skipped, *k)
		}
		if sn.broken {
			skipped = append(skipped, store.Skip{Mailbox: sn.name, Item: uidlistName, Err: fmt.Errorf(
				"%w: its first line cannot be read", store.ErrDamaged)})
		}
	}
	out := make([]store.Message, 0, len(idx))
	for k, i := range idx {
		if k%1024 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		var m store.Message
		sn.describe(&m, i, l)
		ok, skip := sn.stat(b, &m)
		if skip != nil {
			skipped = append(skipped, *skip)
		} else if ok {
			out = append(out, m)
		}
	}
	return out, skipped, nil
}

// stat fills in date, size and inode; false if the message is gone.
func (sn *snapshot) stat(b *box, m *store.Message) (bool, *store.Skip) {
	dir, name := b.file(m.Handle)
	in, err := dir.StatBirth(name)
	if missing(err) {
		// new -> cur is no visible change, so the message is what it was.
		for _, alias := range aliases(m.Handle) {
			d, n := b.file(alias)
			if d == nil {
				continue
			}
			if in, err = d.StatBirth(n); err == nil {
				m.Handle = alias
				break
			}
		}
	}
	if missing(err) {
		return false, nil
	}
	if err == nil && !in.IsReg() {
		err = fmt.Errorf("%w: not a regular file", store.ErrUnsupported)
	}
	if err == nil {
		err = m.Content.GUID.Check()
	}
	if err != nil {
		return false, &store.Skip{Mailbox: sn.name, Item: string(m.Handle), Err: err}
	}
	m.Received = received(in.Mtime)
	m.Content.Size = in.Size
	m.Changed = time.Unix(0, in.Ctime).UTC()
	m.Inode = fileID(in)
	return true, nil
}

// fileID names a file for good: its inode number and when it was born, since a file
// system gives the number of a removed file to the next one. 0 if that is not known.
func fileID(in fsys.Info) uint64 {
	if in.Btime == 0 {
		return 0
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], in.Ino)
	binary.BigEndian.PutUint64(b[8:], uint64(in.Btime))
	return xxhash.Sum64(b[:])
}

// received is a modification time in whole seconds.
func received(mtime int64) time.Time { return time.Unix(0, mtime).Truncate(time.Second).UTC() }
