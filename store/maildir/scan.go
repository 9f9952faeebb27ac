package maildir

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// maxSlab bounds the names of one mailbox: offsets are 32 bits.
const maxSlab = 1<<32 - 1

// entry is one message file. The name is in the slab.
type entry struct {
	off  uint32
	nlen uint8
	blen uint8 // length of the base
	nu   bool  // in new, not cur
	gone bool  // a second file of a base: listed as a Skip
}

// listing holds the names of a mailbox without an allocation for each.
type listing struct {
	slab    []byte
	entries []entry
	hashes  []uint64 // of the base names
	sum     uint64   // of all names, whatever their order
	skipped []store.Skip
}

func (l *listing) name(i int) []byte {
	e := &l.entries[i]
	return l.slab[e.off : int(e.off)+int(e.nlen)]
}

func (l *listing) base(i int) []byte {
	e := &l.entries[i]
	return l.slab[e.off : int(e.off)+int(e.blen)]
}

// letters is splitName's, without a string.
func (l *listing) letters(i int) []byte {
	info, ok := bytes.CutPrefix(l.name(i)[l.entries[i].blen:], []byte(":2,"))
	if !ok {
		return nil
	}
	if k := bytes.IndexByte(info, ','); k >= 0 {
		info = info[:k]
	}
	return info
}

func (l *listing) handle(i int) store.Handle {
	if l.entries[i].nu {
		return store.Handle("new/" + string(l.name(i)))
	}
	return store.Handle("cur/" + string(l.name(i)))
}

// list reads cur and new.
func (s *Store) list(b *box) (*listing, error) {
	l := new(listing)
	l.reserve(s.lastCount(b.name), b.cur)
	for _, d := range []struct {
		dir fsys.Dir
		nu  bool
	}{{b.cur, false}, {b.nu, true}} {
		if d.dir == nil {
			continue
		}
		if err := d.dir.List(func(name []byte, kind fsys.Kind, _ uint64) error {
			return l.add(b.name, name, kind, d.nu)
		}); err != nil {
			return nil, err
		}
	}
	s.listed.Add(int64(len(l.entries)))
	l.dedupe(b.name)
	return l, nil
}

// maxReserve bounds what is reserved on a directory's word: one that was large
// once may keep its size on disk for ever.
const maxReserve = 32 << 20

// reserve makes room, so that nothing is copied while the listing grows: by the
// last count, else by the directory's size (on ext4 somewhat more than its names).
func (l *listing) reserve(last int, cur fsys.Dir) {
	in, err := cur.Self()
	if err != nil || in.Size > maxReserve {
		in.Size = 0
	}
	n := max(last+last/16, int(in.Size/80)) + 64
	l.entries = make([]entry, 0, n)
	l.hashes = make([]uint64, 0, n)
	l.slab = make([]byte, 0, max(int(in.Size), n*72))
}

// add takes in one directory entry.
func (l *listing) add(n store.Name, name []byte, kind fsys.Kind, nu bool) error {
	if name[0] == '.' {
		return nil // maildir(5): ignored by all
	}
	if kind != fsys.Regular && kind != fsys.Unknown {
		l.skipped = append(l.skipped, store.Skip{Mailbox: n, Item: string(name), Err: fmt.Errorf(
			"%w: not a regular file", store.ErrUnsupported)})
		return nil
	}
	if len(name) > maxFileName || len(l.slab)+len(name) > maxSlab {
		return fmt.Errorf("mailbox %q: %w: too many messages", n, store.ErrUnsupported)
	}
	blen := 0
	for blen < len(name) && name[blen] != ':' {
		blen++
	}
	if blen == 0 {
		l.skipped = append(l.skipped, store.Skip{Mailbox: n, Item: string(name), Err: fmt.Errorf(
			"%w: no base name", store.ErrUnsupported)})
		return nil
	}
	l.entries = append(l.entries, entry{off: uint32(len(l.slab)), nlen: uint8(len(name)), blen: uint8(blen), nu: nu})
	l.slab = append(l.slab, name...)
	h := xxhash.Sum64(name[:blen])
	l.hashes = append(l.hashes, h)
	for _, c := range name[blen:] {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	if nu {
		h = ^h
	}
	l.sum += h
	return nil
}

// dedupe finds files with one base name: a rename during the listing may show a
// message twice, a crash or a careless program may leave it twice. The one in cur
// counts, of two there the one with the greater name; the other is reported.
func (l *listing) dedupe(n store.Name) {
	size := 16
	for size < 2*len(l.entries) {
		size *= 2
	}
	table := make([]uint32, size)
	mask := uint64(size - 1)
	dropped := 0
	for i := range l.entries {
		k := l.hashes[i] & mask
		for ; table[k] != 0; k = (k + 1) & mask {
			o := int(table[k] - 1)
			if l.hashes[o] != l.hashes[i] || string(l.base(o)) != string(l.base(i)) {
				continue
			}
			lose := i
			if l.better(i, o) {
				lose = o
				table[k] = uint32(i + 1)
			}
			l.entries[lose].gone = true
			dropped++
			l.skipped = append(l.skipped, store.Skip{Mailbox: n, Item: string(l.handle(lose)), Err: fmt.Errorf(
				"%w: a second file of one message", store.ErrDamaged)})
			break
		}
		if table[k] == 0 {
			table[k] = uint32(i + 1)
		}
	}
	if dropped > 0 {
		l.compact()
	}
}

func (l *listing) better(i, o int) bool {
	if l.entries[i].nu != l.entries[o].nu {
		return !l.entries[i].nu
	}
	return string(l.name(i)) > string(l.name(o))
}

func (l *listing) compact() {
	k := 0
	for i := range l.entries {
		if !l.entries[i].gone {
			l.entries[k], l.hashes[k] = l.entries[i], l.hashes[i]
			k++
		}
	}
	l.entries, l.hashes = l.entries[:k], l.hashes[:k]
}

func (s *Store) lastCount(n store.Name) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[n]
}

func (s *Store) setCount(n store.Name, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[n] = count
}

// scanTries is how often an unstable mailbox is listed before the listing is
// given out as it is.
const scanTries = 3

// Scan lists a mailbox. The look was taken before the listing. A listing is
// stable if the same look was to be had after it; where the look was racy, a
// rename could hide, so the mailbox must list alike twice.
func (s *Store) Scan(ctx context.Context, n store.Name, since store.Fingerprint) (store.Snapshot, error) {
	defer s.opts.As.Enter()()
	b, err := s.open(n, false)
	if err != nil {
		return nil, err
	}
	defer b.close()
	snap := &snapshot{s: s, name: n, since: since}
	for try := 0; try < scanTries && !snap.stable; try++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if snap.look, err = s.lookAt(b.place); err != nil {
			return nil, err
		}
		if snap.list, err = s.list(b); err != nil {
			return nil, err
		}
		second := snap.list
		if snap.look.Racy {
			if second, err = s.list(b); err != nil {
				return nil, err
			}
		}
		after, err := s.lookAt(b.place)
		if err != nil {
			return nil, err
		}
		snap.stable = second.sum == snap.list.sum && messagesPart(after.Print) == messagesPart(snap.look.Print)
		snap.list = second
	}
	s.setCount(n, len(snap.list.entries))
	if snap.kw, err = s.readKeywords(b.ctl); err != nil {
		return nil, err
	}
	snap.hash = newHasher(snap.kw)
	snap.status, snap.broken, err = s.status(b)
	return snap, err
}

func (s *Store) readKeywords(ctl fsys.Dir) (*keywords, error) {
	data, err := s.readSmall(ctl, keywordsName, maxKeywordsFile)
	if err != nil {
		return nil, err
	}
	return parseKeywords(data), nil
}

// Status reads the uidlist's first line and its last, and the attributes.
func (s *Store) Status(ctx context.Context, n store.Name) (store.Status, error) {
	defer s.opts.As.Enter()()
	if err := ctx.Err(); err != nil {
		return store.Status{}, err
	}
	b, err := s.open(n, false)
	if err != nil {
		return store.Status{}, err
	}
	defer b.close()
	st, _, err := s.status(b)
	return st, err
}

// status also reports whether the uidlist is lost.
func (s *Store) status(b *box) (st store.Status, lost bool, err error) {
	st.UIDNext = 1
	if st.Attributes, err = s.readAttributes(b.mail, attributesName); err != nil {
		return st, false, err
	}
	hdr, next, present, lost, err := s.headTail(b.ctl)
	if err != nil || !present || lost {
		return st, lost, err
	}
	st.GUID, st.UIDValidity, st.UIDNext = hdr.guid, hdr.valid, next
	return st, false, nil
}

const (
	headSize = maxUIDListLine
	tailSize = 4 << 10
)

// headTail reads what a status needs of a uidlist: the first line and the last.
func (s *Store) headTail(ctl fsys.Dir) (h uidHeader, next store.UID, present, lost bool, err error) {
	if ctl == nil {
		return h, 1, false, false, nil
	}
	f, err := ctl.Open(uidlistName)
	if err != nil {
		if missing(err) {
			err = nil
		}
		return h, 1, false, false, err
	}
	defer f.Close()
	s.opened.Add(1)
	in, err := f.Stat()
	if err != nil {
		return h, 1, true, false, err
	}
	head := make([]byte, min(in.Size, headSize))
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return h, 1, true, false, err
	}
	s.read.Add(int64(n))
	line, rest, ok := strings.Cut(string(head[:n]), "\n")
	v1 := false
	if ok {
		h, v1, err = parseUIDHeader(line)
	}
	if !ok || err != nil {
		return h, 1, true, true, nil
	}
	if int64(n) == in.Size {
		last, good := lastLine(rest, v1)
		if good {
			return h, max(h.next, last), true, false, nil
		}
	} else {
		tail := make([]byte, tailSize)
		k, err := f.ReadAt(tail, max(0, in.Size-tailSize))
		if err != nil && err != io.EOF {
			return h, 1, true, false, err
		}
		s.read.Add(int64(k))
		_, part, _ := strings.Cut(string(tail[:k]), "\n")
		if last, good := lastLine(part, v1); good && part != "" {
			return h, max(h.next, last), true, false, nil
		}
	}
	// Something is amiss at the end: read it all.
	l, err := s.readUIDList(ctl)
	if err != nil {
		return h, 1, true, false, err
	}
	return l.hdr, l.next(), l.present, l.lost, nil
}

// lastLine gives the UID after the last of whole lines; 1 if there are none.
func lastLine(part string, v1 bool) (next store.UID, ok bool) {
	if part == "" {
		return 1, true
	}
	body, ok := strings.CutSuffix(part, "\n")
	if !ok {
		return 0, false
	}
	r, ok := parseUIDLine([]byte(body[strings.LastIndexByte(body, '\n')+1:]), v1)
	if !ok {
		return 0, false
	}
	if r.uid == 1<<32-1 {
		return r.uid, true
	}
	return r.uid + 1, true
}
