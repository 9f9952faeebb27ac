package explore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// saveEvery is how often progress is kept.
const saveEvery = 5 * time.Second

// maxProgress bounds what is read of a progress file.
const maxProgress = 64 << 20

// progressFormat is the version of the progress file, one JSON object.
const progressFormat = 1

// progress is what a progress file holds.
type progress struct {
	Format int     `json:"format"`
	Print  string  `json:"print"` // of universe, policy and modes
	Most   int     `json:"most"`
	All    int     `json:"all"`
	Next   int     `json:"next"` // batches done
	Sum    *tally  `json:"sum"`
	Bounds Options `json:"bounds"` // for people
	Policy string  `json:"policy"` // for people
}

// save keeps the progress, at one go.
func (s *search) save() error {
	s.saved = time.Now()
	if s.o.File == "" {
		return nil
	}
	b, err := json.Marshal(progress{progressFormat, s.t.print(s.modes), s.o.Most, s.all, s.next, s.sum, s.o, s.o.Policy.ID()})
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(s.o.File), ".dsync-explore-")
	if err != nil {
		return fmt.Errorf("keep the progress: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(b, '\n'))
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), s.o.File)
	}
	if err != nil {
		return fmt.Errorf("keep the progress in %s: %w", s.o.File, err)
	}
	return nil
}

// ErrProgress: a progress file cannot be gone on from.
var ErrProgress = errors.New("cannot go on from this progress file")

// resume goes on from the progress file, if there is one.
func (s *search) resume() error {
	if s.o.File == "" {
		return nil
	}
	b, err := readProgress(s.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return s.save() // so that a file that cannot be written is known at once
	}
	if err != nil {
		return err
	}
	p, err := decodeProgress(b)
	if err == nil {
		err = s.fits(p)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w; name another file, or remove it", s.o.File, ErrProgress, err)
	}
	for range min(p.Next*batch, s.all) {
		s.step()
	}
	s.next, s.handed, s.sum, s.saved = p.Next, p.Next, p.Sum, time.Now()
	return nil
}

func readProgress(path string) ([]byte, error) {
	i, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !i.Mode().IsRegular() || i.Size() > maxProgress:
		return nil, fmt.Errorf("%s: %w: it is no regular file of at most %d bytes", path, ErrProgress, maxProgress)
	}
	return os.ReadFile(path)
}

// decodeProgress reads a progress file, of which nothing is believed.
func decodeProgress(b []byte) (*progress, error) {
	p := &progress{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("byte %d: %w", d.InputOffset(), err)
	}
	if d.More() {
		return nil, fmt.Errorf("byte %d: something follows", d.InputOffset())
	}
	if p.Format != progressFormat {
		return nil, fmt.Errorf("it has format %d, known is %d", p.Format, progressFormat)
	}
	return p, nil
}

// fits checks that the progress is of this very search.
func (s *search) fits(p *progress) error {
	switch {
	case p.Print != s.t.print(s.modes) || p.Most != s.o.Most || p.All != s.all:
		return fmt.Errorf("it is of another search (%d replicas, %d messages, %d mailboxes, %d flags, %d operations, modes %v, policy %s) or of another version of dsync",
			p.Bounds.Replicas, p.Bounds.Messages, p.Bounds.Mailboxes, p.Bounds.Flags, p.Bounds.Ops, p.Bounds.Modes, p.Policy)
	case p.Sum == nil || p.Next < 0 || p.Sum.Cases != min(p.Next*batch, s.all) || len(p.Sum.Runs) != len(s.modes):
		return errors.New("its figures do not add up")
	}
	for law, b := range p.Sum.Laws {
		if b == nil || len(b.Example.Case) != s.o.Replicas || b.Example.Mode < 0 || b.Example.Mode >= len(s.modes) {
			return fmt.Errorf("its example for %q is none", law)
		}
		for _, i := range b.Example.Case {
			if i < 0 || i >= len(s.t.all) {
				return fmt.Errorf("its example for %q is none", law)
			}
		}
	}
	if p.Sum.Laws == nil || p.Sum.Excused == nil {
		return errors.New("its figures do not add up")
	}
	return nil
}
