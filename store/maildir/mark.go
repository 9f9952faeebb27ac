package maildir

import (
	"fmt"
	"strconv"
	"strings"

	"dsync/store"
)

// dsync-mark holds the store's mark:
//
//	dsync-mark 1
//	replica "..."
//	counter N
//	sum <16 hex digits>
const (
	markName   = "dsync-mark"
	markHeader = "dsync-mark 1\n"
	maxMark    = 4 << 10
	maxReplica = 256
)

func encodeMark(m store.Mark) []byte {
	return appendSum(fmt.Appendf(nil, "%sreplica %s\ncounter %d\n", markHeader, strconv.QuoteToASCII(m.Replica), m.Counter))
}

func decodeMark(data []byte) (store.Mark, error) {
	var m store.Mark
	bad := fmt.Errorf("%s: %w", markName, store.ErrDamaged)
	body, ok := checkSum(data)
	rest, found := strings.CutPrefix(string(body), markHeader)
	lines := strings.Split(rest, "\n")
	if !ok || !found || len(lines) != 3 {
		return m, bad
	}
	replica, ok1 := strings.CutPrefix(lines[0], "replica ")
	counter, ok2 := strings.CutPrefix(lines[1], "counter ")
	var err1, err2 error
	m.Replica, err1 = strconv.Unquote(replica)
	m.Counter, err2 = strconv.ParseUint(counter, 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || string(encodeMark(m)) != string(data) {
		return store.Mark{}, bad
	}
	return m, nil
}

// Mark reads the mark; ok is false if there is none.
func (s *Store) Mark() (m store.Mark, ok bool, err error) {
	defer s.opts.As.Enter()()
	data, err := s.readSmall(s.root, markName, maxMark)
	if err != nil || data == nil {
		return m, false, err
	}
	s.opened.Add(-1) // the mark is not counted
	s.read.Add(-int64(len(data)))
	m, err = decodeMark(data)
	return m, err == nil, err
}

// SetMark writes the mark.
func (s *Store) SetMark(m store.Mark) error {
	defer s.opts.As.Enter()()
	if err := s.writing(); err != nil {
		return err
	}
	if m.Replica == "" || len(m.Replica) > maxReplica || strings.ContainsAny(m.Replica, "\n\x00") {
		return fmt.Errorf("mark: replica of %d bytes", len(m.Replica))
	}
	p, err := s.permsOf(s.root)
	if err != nil {
		return err
	}
	return s.replace(s.root, markName, encodeMark(m), p)
}
