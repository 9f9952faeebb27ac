package maildir

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// uidCache holds the uidlist that was read or appended to last: a run reads the
// one of a large mailbox several times, and appends to it once for each part.
//
// The file is kept open, so that its inode is no other file's, and stands as long
// as device, inode, size and date are the same: whoever changes a uidlist appends
// to it or puts a new file in its place. A list that was given out is never
// changed.
type uidCache struct {
	mu   sync.Mutex
	file fsys.File
	info fsys.Info
	list *uidList
	tail []byte // lines at the end of the file that list has not yet
}

// get gives the list of the file that Stat described; nil if it is another.
func (c *uidCache) get(in fsys.Info) *uidList {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil || !sameState(c.info, in) {
		return nil
	}
	if len(c.tail) > 0 {
		c.list, c.tail = c.list.extended(c.tail), nil
	}
	return c.list
}

// put takes over the file, which is closed when another takes its place.
func (c *uidCache) put(f fsys.File, in fsys.Info, l *uidList) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.file != nil {
		err = c.file.Close()
	}
	c.file, c.info, c.list, c.tail = f, in, l, nil
	return err
}

func (c *uidCache) drop() error { return c.put(nil, fsys.Info{}, nil) }

// appended notes that data was added, under the lock, to the file that l is from.
// in describes the file as it is now.
func (c *uidCache) appended(l *uidList, in fsys.Info, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list != l || in.Dev != c.info.Dev || in.Ino != c.info.Ino || in.Size != c.info.Size+int64(len(data)) {
		return // the next reader finds that it is another
	}
	c.info, c.tail = in, append(c.tail, data...)
}

func sameState(a, b fsys.Info) bool {
	return a.Dev == b.Dev && a.Ino == b.Ino && a.Size == b.Size && a.Mtime == b.Mtime && a.Ctime == b.Ctime
}

// readUIDList reads the uidlist of a mailbox, or gives it as it was read before.
func (s *Store) readUIDList(ctl fsys.Dir) (*uidList, error) {
	none := &uidList{hdr: uidHeader{next: 1}}
	if ctl == nil {
		return none, nil
	}
	if in, err := ctl.Stat(uidlistName); err == nil {
		if l := s.uidlist.get(in); l != nil {
			return l, nil
		}
	}
	f, err := ctl.Open(uidlistName)
	if err != nil {
		if missing(err) {
			return none, nil
		}
		return nil, err
	}
	s.opened.Add(1)
	in, err := f.Stat()
	var data []byte
	if err == nil {
		data, err = s.readAll(f, in, uidlistName, maxUIDList)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := parseUIDList(data)
	if int64(len(data)) != in.Size {
		return l, f.Close() // it grew meanwhile
	}
	return l, s.uidlist.put(f, in, l)
}

// readAll reads an open file of at most limit bytes.
func (s *Store) readAll(f fsys.File, in fsys.Info, name string, limit int64) ([]byte, error) {
	if !in.IsReg() {
		return nil, fmt.Errorf("%s: %w: not a regular file", name, store.ErrDamaged)
	}
	if in.Size > limit {
		return nil, fmt.Errorf("%s: %w: %d bytes, at most %d", name, store.ErrDamaged, in.Size, limit)
	}
	// One byte more than the size, so that the end is found without growing.
	buf := make([]byte, in.Size+1)
	n := 0
	for {
		if n == len(buf) {
			if int64(n) > limit {
				return nil, fmt.Errorf("%s: %w: grows beyond %d bytes", name, store.ErrDamaged, limit)
			}
			buf = append(buf, make([]byte, 4096)...)
		}
		k, err := f.Read(buf[n:])
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	s.read.Add(int64(n))
	return buf[:n:n], nil
}

// extended is the list with whole lines added at the end of the file. A list is
// extended once at most: old and new share what lies behind the old one's end.
func (l *uidList) extended(lines []byte) *uidList {
	n := *l
	n.data = append(l.data, lines...)
	n.lines(len(l.data))
	if 2*len(n.recs) > len(l.table) {
		n.index()
		return &n
	}
	n.table = slices.Clone(l.table)
	for i := len(l.recs); i < len(n.recs); i++ {
		n.enter(i)
	}
	return &n
}
