package maildir

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
)

// dovecot-uidlist, version 3:
//
//	3 V<uidvalidity> N<next uid> G<mailbox GUID> [other fields]
//	<uid> [W<vsize>] [S<psize>] [P<pop3 uidl>] [O<pop3 order>] [G<guid>] ... :<base name>
//
// UIDs ascend. Fields that are not ours are kept byte for byte. Dovecot appends
// lines without touching the header, so the next UID is max(N, last+1).
//
// Damage: a file whose first line cannot be read is lost (nothing of it counts,
// and the next change writes a new one); a line that cannot be read, is out of
// order, too long or torn off at the end of the file is lost alone: its message
// has no UID, and the line goes when the file is next rewritten. Version 1
// ("1 V N", "uid name") is read and becomes version 3 when rewritten.

const (
	uidlistName    = "dovecot-uidlist"
	maxUIDList     = 256 << 20 // bytes of the file: some four million messages
	maxUIDListLine = 8 << 10
)

// uidHeader is the first line.
type uidHeader struct {
	valid store.UIDValidity
	next  store.UID
	guid  store.MailboxGUID
	extra []string // fields that are not ours, in order
}

// uidRecord is one line: where it is, and the hash of its base name.
type uidRecord struct {
	hash uint64
	uid  store.UID
	line uint32 // offset of the line
	base uint32 // offset of the base name
	end  uint32 // offset behind the base name
}

// uidList is a parsed file. The zero value is a file that is not there.
type uidList struct {
	present bool
	lost    bool // the header could not be read
	v1      bool
	hdr     uidHeader
	data    []byte
	recs    []uidRecord
	damaged int      // lines that do not count
	torn    bool     // the last line has no end
	table   []uint32 // open addressing by hash: index+1 into recs
	doubled bool     // a base name stands in two lines
	// doubledFrom is the offset of the first line whose base name stood before.
	doubledFrom uint32
}

// parseUIDHeader reads the first line, without its newline.
func parseUIDHeader(line string) (h uidHeader, v1 bool, err error) {
	bad := func() (uidHeader, bool, error) {
		return uidHeader{}, false, fmt.Errorf("%s: %w: first line %.60q", uidlistName, store.ErrDamaged, line)
	}
	f := strings.Split(line, " ")
	if len(f) == 3 && f[0] == "1" {
		v, ok1 := parseUint32(f[1])
		n, ok2 := parseUint32(f[2])
		if !ok1 || !ok2 || v == 0 {
			return bad()
		}
		return uidHeader{valid: store.UIDValidity(v), next: store.UID(max(n, 1))}, true, nil
	}
	if f[0] != "3" {
		return bad()
	}
	for _, field := range f[1:] {
		if field == "" {
			continue
		}
		val := field[1:]
		switch field[0] {
		case 'V':
			v, ok := parseUint32(val)
			if !ok {
				return bad()
			}
			h.valid = store.UIDValidity(v)
		case 'N':
			v, ok := parseUint32(val)
			if !ok {
				return bad()
			}
			h.next = store.UID(v)
		case 'G':
			g, err := store.ParseMailboxGUID(val)
			if err != nil {
				// Dovecot makes a new one in this case; so may whoever sets one here.
				continue
			}
			h.guid = g
		default:
			h.extra = append(h.extra, field)
		}
	}
	if h.valid == 0 {
		return bad()
	}
	h.next = max(h.next, 1)
	return h, false, nil
}

func (h *uidHeader) encode() string {
	var b strings.Builder
	fmt.Fprintf(&b, "3 V%d N%d", h.valid, h.next)
	if !h.guid.IsZero() {
		fmt.Fprintf(&b, " G%s", h.guid)
	}
	for _, f := range h.extra {
		b.WriteByte(' ')
		b.WriteString(f)
	}
	b.WriteByte('\n')
	return b.String()
}

// parseUint32 takes decimal digits without sign or leading zero.
func parseUint32(s string) (uint32, bool) {
	if s == "" || len(s) > 10 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 10, 32)
	return uint32(v), err == nil
}

// parseUIDList reads a whole file; data is kept.
func parseUIDList(data []byte) *uidList {
	l := &uidList{present: true, data: data}
	nl := bytes.IndexByte(data, '\n')
	if nl < 0 || nl > maxUIDListLine {
		l.lost = true
		return l
	}
	var err error
	if l.hdr, l.v1, err = parseUIDHeader(string(data[:nl])); err != nil {
		l.lost = true
		return l
	}
	// An estimate only: a grown slice would cost twice the memory.
	l.recs = make([]uidRecord, 0, min((len(data)-nl)/24, bytes.Count(data[nl+1:], []byte{'\n'})))
	l.lines(nl + 1)
	l.index()
	return l
}

// lines reads the lines from an offset on.
func (l *uidList) lines(pos int) {
	var last store.UID
	if len(l.recs) > 0 {
		last = l.recs[len(l.recs)-1].uid
	}
	for pos < len(l.data) {
		n := bytes.IndexByte(l.data[pos:], '\n')
		if n < 0 {
			l.torn = true
			l.damaged++
			break
		}
		rec, ok := parseUIDLine(l.data[pos:pos+n], l.v1)
		if !ok || rec.uid <= last {
			l.damaged++
		} else {
			last = rec.uid
			rec.line = uint32(pos)
			rec.base += uint32(pos)
			rec.end += uint32(pos)
			l.recs = append(l.recs, rec)
		}
		pos += n + 1
	}
}

// parseUIDLine reads a line; the offsets are within it.
func parseUIDLine(line []byte, v1 bool) (r uidRecord, ok bool) {
	if len(line) > maxUIDListLine {
		return r, false
	}
	var uid uint64
	i := 0
	for i < len(line) && line[i] >= '0' && line[i] <= '9' && i < 11 {
		uid = uid*10 + uint64(line[i]-'0')
		i++
	}
	if i == 0 || uid == 0 || uid > 1<<32-1 || line[0] == '0' || i >= len(line) || line[i] != ' ' {
		return r, false
	}
	base := i + 1
	if !v1 {
		// The name begins at the first field that begins with ':'; no other field
		// can, for a field begins with its letter.
		for base < len(line) && line[base] != ':' {
			sp := bytes.IndexByte(line[base:], ' ')
			if sp < 0 {
				return r, false
			}
			base += sp + 1
		}
		base++
	}
	if base >= len(line) {
		return r, false
	}
	end := len(line)
	if c := bytes.IndexByte(line[base:], ':'); c >= 0 {
		end = base + c // old versions wrote the flags too
	}
	if end == base || bytes.IndexByte(line[base:end], '/') >= 0 || bytes.IndexByte(line[base:end], 0) >= 0 {
		return r, false
	}
	return uidRecord{hash: xxhash.Sum64(line[base:end]), uid: store.UID(uid), base: uint32(base), end: uint32(end)}, true
}

// index builds the table. Of two lines with one base name the later counts: it
// has the higher UID, and no UID of a message may fall.
func (l *uidList) index() {
	size := 8
	for size < 2*len(l.recs) {
		size *= 2
	}
	l.table = make([]uint32, size)
	for i := range l.recs {
		l.enter(i)
	}
}

// enter puts a line into the table.
func (l *uidList) enter(i int) {
	mask := uint64(len(l.table) - 1)
	r := &l.recs[i]
	k := r.hash & mask
	for l.table[k] != 0 {
		o := &l.recs[l.table[k]-1]
		if o.hash == r.hash && bytes.Equal(l.data[o.base:o.end], l.data[r.base:r.end]) {
			if !l.doubled {
				l.doubled, l.doubledFrom = true, r.line
			}
			break
		}
		k = (k + 1) & mask
	}
	l.table[k] = uint32(i + 1)
}

// find gives the index of the line of a base name, -1 if there is none.
func (l *uidList) find(hash uint64, base string) int {
	if len(l.table) == 0 {
		return -1
	}
	mask := uint64(len(l.table) - 1)
	for k := hash & mask; l.table[k] != 0; k = (k + 1) & mask {
		i := int(l.table[k] - 1)
		if r := &l.recs[i]; r.hash == hash && string(l.data[r.base:r.end]) == base {
			return i
		}
	}
	return -1
}

// guid gives the G field of a line, or the base name.
func (l *uidList) guid(i int) store.GUID {
	r := &l.recs[i]
	if g := lineGUID(string(l.fields(i))); g != "" {
		return g
	}
	return store.GUID(l.data[r.base:r.end])
}

// fields is what stands between UID and name, as found.
func (l *uidList) fields(i int) []byte {
	r := &l.recs[i]
	if l.v1 {
		return nil
	}
	f := l.data[r.line : r.base-1]
	return bytes.TrimSuffix(f[bytes.IndexByte(f, ' ')+1:], []byte{' '})
}

// A GUID stands in the field G. One with a space in it cannot: it stands in
// hexadecimal in a field of ours, Y, which Dovecot keeps and does not read (it
// shows the base name then).
func guidField(g store.GUID) string {
	if strings.IndexByte(string(g), ' ') >= 0 {
		return "Y" + hex.EncodeToString([]byte(g))
	}
	return "G" + string(g)
}

// lineGUID reads the GUID out of a line's fields; "" if there is none.
func lineGUID(fields string) store.GUID {
	for fields != "" {
		var f string
		f, fields, _ = strings.Cut(fields, " ")
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case 'G':
			return store.GUID(f[1:])
		case 'Y':
			if g, err := hex.DecodeString(f[1:]); err == nil {
				return store.GUID(g)
			}
		}
	}
	return ""
}

// next is the UID that the next message gets.
func (l *uidList) next() store.UID {
	n := max(l.hdr.next, 1)
	if len(l.recs) > 0 {
		if last := l.recs[len(l.recs)-1].uid; last < 1<<32-1 {
			n = max(n, last+1)
		} else {
			n = last
		}
	}
	return n
}

// appendUIDLine writes a line of ours. Sizes that the name tells are left out,
// as Dovecot does.
func appendUIDLine(b []byte, uid store.UID, fields string, base string) []byte {
	b = strconv.AppendUint(b, uint64(uid), 10)
	b = append(b, ' ')
	if fields != "" {
		b = append(b, fields...)
		b = append(b, ' ')
	}
	b = append(b, ':')
	b = append(b, base...)
	return append(b, '\n')
}

// uidEdit is a set of changes to a list, then written at one go.
type uidEdit struct {
	list   *uidList
	hdr    uidHeader
	drop   map[int]bool // lines that go
	added  []uidLine
	header bool // the header must be written anew
}

// uidLine is a line to be.
type uidLine struct {
	uid    store.UID
	fields string
	base   string
}

func newUIDEdit(l *uidList) *uidEdit {
	return &uidEdit{list: l, hdr: l.hdr, drop: map[int]bool{}}
}

// appendable reports whether the change is nothing but lines at the end.
func (e *uidEdit) appendable() bool {
	l := e.list
	if !l.present || l.lost || l.v1 || l.damaged > 0 || e.header || len(e.drop) > 0 {
		return false
	}
	floor := store.UID(0)
	if len(l.recs) > 0 {
		floor = l.recs[len(l.recs)-1].uid
	}
	return len(e.added) == 0 || e.added[0].uid > floor
}

// sort orders the new lines.
func (e *uidEdit) sort() {
	slices.SortFunc(e.added, func(a, b uidLine) int { return int(int64(a.uid) - int64(b.uid)) })
}

// tail encodes the new lines alone.
func (e *uidEdit) tail() []byte {
	var b []byte
	for _, a := range e.added {
		b = appendUIDLine(b, a.uid, a.fields, a.base)
	}
	return b
}

// encode gives the whole new file: old lines byte for byte, but for those
// dropped, merged with the new ones by UID.
func (e *uidEdit) encode() []byte {
	l := e.list
	h := e.hdr
	h.next = max(h.next, 1)
	k := 0
	body := make([]byte, 0, len(l.data)+80*len(e.added))
	for i := range l.recs {
		if e.drop[i] {
			continue
		}
		r := &l.recs[i]
		for k < len(e.added) && e.added[k].uid < r.uid {
			body = appendUIDLine(body, e.added[k].uid, e.added[k].fields, e.added[k].base)
			k++
		}
		if l.v1 {
			body = appendUIDLine(body, r.uid, "", string(l.data[r.base:r.end]))
			continue
		}
		n := bytes.IndexByte(l.data[r.line:], '\n')
		body = append(body, l.data[r.line:int(r.line)+n+1]...)
	}
	for ; k < len(e.added); k++ {
		body = appendUIDLine(body, e.added[k].uid, e.added[k].fields, e.added[k].base)
	}
	return append([]byte(h.encode()), body...)
}
