package maildir

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dsync/store"
	"dsync/store/maildir/internal/fsys"
)

// dsync-moves in the root says what a rename or deletion under way has come to,
// so that whoever comes after a crash can complete it:
//
//	dsync-moves 1
//	state moving|placing|done
//	move "from" "to" dsync-move.N <inode of cur>
//	delete "from" dsync-move.N <inode of cur>
//	sum <16 hex digits>
//
// moving: mailboxes leave their places for dsync-move.N; placing: they go from
// there to their new ones, and what is deleted is removed; done: all stands. A
// deletion found in state moving is undone: a message may have come.
const (
	journalName   = "dsync-moves"
	journalHeader = "dsync-moves 1\n"
	movePrefix    = "dsync-move."
	maxJournal    = 16 << 20
)

type journalState string

const (
	stateMoving  journalState = "moving"
	statePlacing journalState = "placing"
	stateDone    journalState = "done"
)

type journalMove struct {
	from, to store.Name // to "" is a deletion
	temp     string
	ino      uint64
}

type journal struct {
	state journalState
	moves []journalMove
}

func (j *journal) encode() []byte {
	b := fmt.Appendf(nil, "%sstate %s\n", journalHeader, j.state)
	for _, m := range j.moves {
		if m.to == "" {
			b = fmt.Appendf(b, "delete %s %s %d\n", strconv.QuoteToASCII(string(m.from)), m.temp, m.ino)
			continue
		}
		b = fmt.Appendf(b, "move %s %s %s %d\n", strconv.QuoteToASCII(string(m.from)),
			strconv.QuoteToASCII(string(m.to)), m.temp, m.ino)
	}
	return appendSum(b)
}

func decodeJournal(data []byte) (*journal, error) {
	bad := fmt.Errorf("%s: %w", journalName, store.ErrDamaged)
	body, ok := checkSum(data)
	rest, found := strings.CutPrefix(string(body), journalHeader)
	if !ok || !found {
		return nil, bad
	}
	j := new(journal)
	for line := range strings.Lines(rest) {
		word, args, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if word == "state" {
			j.state = journalState(args)
			continue
		}
		m, err := decodeMove(word, args)
		if err != nil {
			return nil, bad
		}
		j.moves = append(j.moves, m)
	}
	if j.state != stateMoving && j.state != statePlacing && j.state != stateDone || string(j.encode()) != string(data) {
		return nil, bad
	}
	return j, nil
}

func decodeMove(word, args string) (m journalMove, err error) {
	names := []*store.Name{&m.from}
	if word == "move" {
		names = append(names, &m.to)
	} else if word != "delete" {
		return m, store.ErrDamaged
	}
	for _, n := range names {
		q, err := strconv.QuotedPrefix(args)
		if err != nil {
			return m, err
		}
		s, err := strconv.Unquote(q)
		if err != nil {
			return m, err
		}
		*n = store.Name(s)
		args = strings.TrimPrefix(args[len(q):], " ")
	}
	temp, ino, _ := strings.Cut(args, " ")
	num, ok := strings.CutPrefix(temp, movePrefix)
	if _, isNum := parseUint32(num); !ok || !isNum {
		return m, store.ErrDamaged
	}
	m.temp = temp
	m.ino, err = strconv.ParseUint(ino, 10, 64)
	return m, err
}

func (s *Store) readJournal() (*journal, error) {
	if _, err := s.root.Stat(journalName); missing(err) {
		return nil, nil
	}
	data, err := s.readSmall(s.root, journalName, maxJournal)
	if err != nil || data == nil {
		return nil, err
	}
	return decodeJournal(data)
}

func (s *Store) writeJournal(j *journal) error {
	p, err := s.permsOf(s.root)
	if err != nil {
		return err
	}
	return s.replace(s.root, journalName, j.encode(), p)
}

func (s *Store) dropJournal() error {
	if err := s.root.Unlink(journalName); err != nil && !missing(err) {
		return err
	}
	return s.root.Sync()
}

// forgetMoves removes the journal at the end of a run that renamed. Until then it
// answers a repeated call after a crash.
func (s *Store) forgetMoves() error {
	if !s.moves {
		return nil
	}
	s.moves = false
	j, err := s.readJournal()
	if err != nil || j == nil || j.state != stateDone {
		return err // half done: the next run completes it
	}
	return s.dropJournal()
}

// recoverMoves completes what a dead run began.
func (s *Store) recoverMoves() error {
	j, err := s.readJournal()
	if err != nil || j == nil || j.state == stateDone {
		return err
	}
	return s.complete(j)
}

// complete brings a journal from where it stands to its end. Each step finds out
// for itself whether it was made before.
func (s *Store) complete(j *journal) error {
	if j.state == stateMoving {
		for _, m := range j.moves {
			if m.to == "" {
				continue // not yet decided: it goes back below
			}
			if err := s.detach(m); err != nil {
				return err
			}
		}
		for i, m := range j.moves {
			if m.to == "" {
				j.moves[i].to = m.from // back where it was
			}
		}
		j.state = statePlacing
		if err := s.writeJournal(j); err != nil {
			return err
		}
	}
	var errs []error
	for _, m := range j.moves {
		if m.to == "" {
			errs = append(errs, s.remove(m))
			continue
		}
		errs = append(errs, s.attach(m))
	}
	s.prune(j)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	j.state = stateDone
	return s.writeJournal(j)
}

// prune removes directories that the moves left empty: they would be parents of
// nothing (LAYOUT=fs; and CONTROL=, in any layout).
func (s *Store) prune(j *journal) {
	up := func(root fsys.Dir, rel string) {
		for rel != "." && rel != "" {
			dir, name := splitPath(rel)
			d, err := root.OpenDir(dir)
			if err == nil {
				if err = d.Rmdir(name); err == nil {
					err = d.Sync()
				}
				_ = d.Close()
			}
			if err != nil && !missing(err) {
				return
			}
			rel = dir
		}
	}
	for _, m := range j.moves {
		p := s.place(m.from)
		if s.layout.fs {
			up(p.root, p.rel)
		}
		if p.separated {
			up(p.ctl, p.crel)
		}
	}
}

func splitPath(rel string) (dir, name string) {
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		return rel[:i], rel[i+1:]
	}
	return ".", rel
}
