package maildir

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// stagedInfo is what this run knows of a staged message beyond store.Staged.
type stagedInfo struct {
	vsize  int64 // with CRLF line ends; -1 if unknown
	synced bool
}

// ChooseKey gives a name never used in the account: the other side's if that is
// asked for and fits, else a fresh one in the manner of maildir(5).
func (s *Store) ChooseKey(hint string, keep bool) string {
	if keep && fitKey(hint) && !strings.HasPrefix(hint, "dsync-") {
		return hint
	}
	var r [8]byte
	_, _ = rand.Read(r[:]) // never fails (crypto/rand)
	t := s.now()
	host, _ := os.Hostname()
	host = strings.NewReplacer("/", "_", ":", "_", ",", "_", " ", "_").Replace(host)
	if host == "" || len(host) > 64 {
		host = "localhost"
	}
	return fmt.Sprintf("%d.M%dP%dQ%dR%s.%s", t.Unix(), t.Nanosecond()/1000, os.Getpid(), s.seq.Add(1),
		hex.EncodeToString(r[:]), host)
}

var copyBufs = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// Stage writes a message into tmp.
func (s *Store) Stage(ctx context.Context, n store.Name, m store.NewMessage, body io.Reader) (*store.Staged, error) {
	defer s.opts.As.Enter()()
	if err := checkNew(m); err != nil {
		return nil, err
	}
	b, err := s.stagingBox(n)
	if err != nil {
		return nil, readOnlyErr(err)
	}
	defer s.letGo(b)
	return s.stage(ctx, b, m, body)
}

func checkNew(m store.NewMessage) error {
	if !fitKey(m.Key) {
		return fmt.Errorf("message key %.80q: %w", m.Key, store.ErrUnsupported)
	}
	return checkGUID(m.Content.GUID, m.Key)
}

func checkGUID(g store.GUID, base string) error {
	if g == "" || string(g) == base {
		return nil
	}
	if err := g.Check(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnsupported, err)
	}
	return nil
}

func (s *Store) stage(ctx context.Context, b *box, m store.NewMessage, body io.Reader) (st *store.Staged, err error) {
	name := s.temp()
	f, err := b.tmp.Create(name, b.perms.fileMode)
	if err != nil {
		return nil, readOnlyErr(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.tmp.Unlink(name))
		}
	}()
	meter := newMeter()
	err = s.dress(f, b.perms)
	if err == nil {
		err = copyBody(ctx, f, body, meter)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	s.wrote.Add(meter.size)
	got := store.Content{GUID: m.Content.GUID, Size: meter.size, Hash: meter.hash()}
	if err := agree(m.Content, got); err != nil {
		return nil, err
	}
	if err := b.tmp.SetTime(name, m.Received.Unix()*int64(time.Second)); err != nil {
		return nil, err
	}
	m.Content = got
	s.remember(name, &stagedInfo{vsize: meter.vsize()})
	return &store.Staged{NewMessage: m, Mailbox: b.name, Temp: name}, nil
}

// agree checks what was written against what was announced.
func agree(want, got store.Content) error {
	if want.Size != 0 && want.Size != got.Size {
		return fmt.Errorf("message of %d bytes, %d announced: %w", got.Size, want.Size, store.ErrChanged)
	}
	if want.Hash != (store.HeaderHash{}) && want.Hash != got.Hash {
		return fmt.Errorf("message with another header than announced: %w", store.ErrChanged)
	}
	return nil
}

func copyBody(ctx context.Context, w io.Writer, r io.Reader, m *meter) error {
	bp := copyBufs.Get().(*[]byte)
	defer copyBufs.Put(bp)
	buf := *bp
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, rerr := io.ReadFull(r, buf)
		if n > 0 {
			m.add(buf[:n])
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if rerr == io.EOF || rerr == io.ErrUnexpectedEOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}

// meter takes size, virtual size and header hash of a message as it streams by.
type meter struct {
	size, lf, crlf int64
	last           byte
	head           []byte // of the header, until its end is found
	done           bool
	sum            store.HeaderHash
}

func newMeter() *meter { return new(meter) }

func (m *meter) add(p []byte) {
	m.size += int64(len(p))
	m.lf += int64(bytes.Count(p, []byte{'\n'}))
	m.crlf += int64(bytes.Count(p, []byte("\r\n")))
	if m.last == '\r' && p[0] == '\n' {
		m.crlf++
	}
	m.last = p[len(p)-1]
	if m.done {
		return
	}
	from := max(0, len(m.head)-3)
	if m.head == nil && headerEnd(p, 0) >= 0 {
		m.finish(p[:headerEnd(p, 0)]) // the usual case: all of it in one piece
		return
	}
	m.head = append(m.head, p[:min(len(p), store.MaxHeader-len(m.head))]...)
	if end := headerEnd(m.head, from); end >= 0 {
		m.finish(m.head[:end])
	} else if len(m.head) == store.MaxHeader {
		m.finish(m.head)
	}
}

// headerEnd gives the offset behind the first empty line (LF or CRLF), looking
// from an offset on; -1 if it is not there, or beyond MaxHeader.
func headerEnd(p []byte, from int) int {
	if from == 0 {
		if bytes.HasPrefix(p, []byte("\n")) {
			return 1
		}
		if bytes.HasPrefix(p, []byte("\r\n")) {
			return 2
		}
	}
	for i := from; ; {
		k := bytes.IndexByte(p[i:], '\n')
		if k < 0 {
			return -1
		}
		i += k + 1
		rest := p[i:]
		end := -1
		if bytes.HasPrefix(rest, []byte("\n")) {
			end = i + 1
		} else if bytes.HasPrefix(rest, []byte("\r\n")) {
			end = i + 2
		}
		if end >= 0 {
			if end > store.MaxHeader {
				return -1
			}
			return end
		}
	}
}

func (m *meter) finish(header []byte) {
	full := sha256.Sum256(header)
	copy(m.sum[:], full[:])
	m.done, m.head = true, nil
}

func (m *meter) hash() store.HeaderHash {
	if !m.done {
		m.finish(m.head)
	}
	return m.sum
}

// vsize is the size with CRLF line ends.
func (m *meter) vsize() int64 { return m.size + m.lf - m.crlf }

func (s *Store) remember(temp string, in *stagedInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.staged[temp] = in
}

func (s *Store) forget(temp string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.staged, temp)
}

func (s *Store) recall(temp string) stagedInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.staged[temp]; in != nil {
		return *in
	}
	return stagedInfo{vsize: -1}
}

// StageLink makes a copy of a message of this account: a link where date and
// size are those wanted (they belong to the inode), else a copy of the bytes.
func (s *Store) StageLink(ctx context.Context, n store.Name, m store.NewMessage, from store.Name, h store.Handle) (*store.Staged, error) {
	defer s.opts.As.Enter()()
	if err := checkNew(m); err != nil {
		return nil, err
	}
	b, err := s.stagingBox(n)
	if err != nil {
		return nil, readOnlyErr(err)
	}
	defer s.letGo(b)
	src, err := s.open(from, false)
	if err != nil {
		return nil, err
	}
	defer src.close()
	f, err := s.openMessage(src, h)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in, err := f.Stat()
	if err != nil {
		return nil, err
	}
	linkable := received(in.Mtime).Equal(m.Received.Truncate(time.Second)) && (m.Content.Size == 0 || m.Content.Size == in.Size) &&
		in.UID == uint32(b.perms.uid)
	if linkable {
		st, err := s.stageLink(ctx, b, m, src, h, f, in)
		if err == nil || !errors.Is(err, errNoLink) {
			return st, err
		}
		// What was read for the hash is behind the file's position now.
		_ = f.Close()
		if f, err = s.openMessage(src, h); err != nil {
			return nil, err
		}
		defer f.Close()
	}
	return s.stage(ctx, b, m, f)
}

var errNoLink = errors.New("cannot be linked")

func (s *Store) stageLink(ctx context.Context, b *box, m store.NewMessage, src *box, h store.Handle, f fsys.File, in fsys.Info) (*store.Staged, error) {
	meter := newMeter()
	if err := copyBody(ctx, io.Discard, f, meter); err != nil {
		return nil, err
	}
	s.read.Add(meter.size)
	got := store.Content{GUID: m.Content.GUID, Size: meter.size, Hash: meter.hash()}
	if err := agree(m.Content, got); err != nil {
		return nil, err
	}
	d, name := src.file(h)
	if d == nil {
		return nil, errNoLink
	}
	tmp := s.temp()
	if err := d.Link(name, b.tmp, tmp); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoLink, err)
	}
	// The name may be another file's by now.
	if st, err := b.tmp.Stat(tmp); err != nil || st.Ino != in.Ino {
		return nil, errors.Join(errNoLink, err, b.tmp.Unlink(tmp))
	}
	m.Content = got
	s.remember(tmp, &stagedInfo{vsize: meter.vsize()})
	return &store.Staged{NewMessage: m, Mailbox: b.name, Temp: tmp}, nil
}

// syncfsFrom is the number of files from which the file system is synced as a whole.
// Measured on ext4 (BenchmarkSync; 4 kB files; one by one, then whole): one file 0.2
// and 0.2 ms, four 0.6 and 0.3, 256 45 and 4. But the whole has what other programs
// have left to write, too: with 1 MB of that it is even at four files, with 50 MB
// (20 ms) at a hundred. So a few messages do not wait for others, and many gain, or
// lose what the disk needs for others' work.
const syncfsFrom = 4

// SyncStaged makes staged messages durable.
func (s *Store) SyncStaged(ctx context.Context, st []*store.Staged) error {
	defer s.opts.As.Enter()()
	byBox := map[store.Name][]*store.Staged{}
	for _, m := range st {
		byBox[m.Mailbox] = append(byBox[m.Mailbox], m)
	}
	synced := map[uint64]bool{} // file systems
	for n, list := range byBox {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := s.open(n, true)
		if err != nil {
			return err
		}
		err = s.syncBox(b, list, len(st) >= syncfsFrom, synced)
		b.close()
		if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range st {
		if in := s.staged[m.Temp]; in != nil {
			in.synced = true
		}
	}
	return nil
}

func (s *Store) syncBox(b *box, list []*store.Staged, whole bool, synced map[uint64]bool) error {
	if whole {
		in, err := b.tmp.Self()
		if err != nil || synced[in.Dev] {
			return err
		}
		synced[in.Dev] = true
		// syncfs tells of write errors since its descriptor was opened: so the one
		// that was open before the messages were written, where that can be.
		for _, d := range []fsys.Dir{s.root, s.inbox} {
			if root, err := d.Self(); err == nil && root.Dev == in.Dev {
				return d.SyncFS()
			}
		}
		return b.tmp.SyncFS()
	}
	for _, m := range list {
		f, err := b.tmp.Open(m.Temp)
		if missing(err) {
			continue // Apply tells of it
		}
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Unstage removes staged messages.
func (s *Store) Unstage(st []*store.Staged) error {
	defer s.opts.As.Enter()()
	var errs []error
	for _, m := range st {
		b, err := s.open(m.Mailbox, true)
		if err != nil {
			if !errors.Is(err, store.ErrNoMailbox) {
				errs = append(errs, err)
			}
			continue
		}
		if strings.HasPrefix(m.Temp, tempPrefix) {
			if err := b.tmp.Unlink(m.Temp); err != nil && !missing(err) {
				errs = append(errs, err)
			}
		}
		b.close()
		s.forget(m.Temp)
	}
	return errors.Join(errs...)
}
