package logdb

import (
	"cmp"
	"math"
	"slices"

	"dsync/changelog"
)

// Unseen calls f once with every entry that mentions at least one dot that is not
// in seen: messages named by such a dot first, by dot, then the others in the
// order of the first such dot. The cost follows the number of such dots and of
// holes in seen, not of entries.
func (a *Account) Unseen(seen *changelog.Dots, f func(EntryRef) error) error {
	err := a.walkUnseen(famRecord, seen, func(key []byte) error {
		if len(key) != prefixLen+dotLen {
			return damaged(key, "a key of %d bytes", len(key))
		}
		return f(EntryRef{Kind: RefMessage, Message: dotAt(key[prefixLen:])})
	})
	if err != nil {
		return err
	}
	done := map[EntryRef]bool{}
	return a.walkUnseen(famMentions, seen, func(key []byte) error {
		_, e, ok := parseMention(key[prefixLen:])
		if !ok {
			return damaged(key, "a malformed key")
		}
		if e.Kind == refOrigin {
			e.Kind = RefMessage
		}
		if e.Kind == RefMessage && !seen.Has(e.Message) || done[e] {
			return nil
		}
		done[e] = true
		return f(e)
	})
}

// walkUnseen calls f with each key of a family whose keys begin with a dot, if
// that is not in seen.
func (a *Account) walkUnseen(fam byte, seen *changelog.Dots, f func(key []byte) error) error {
	p := prefix(nil, a.id, fam)
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return err
	}
	defer it.Close()
	var key []byte
	for ok := it.First(); ok; {
		if len(it.Key()) < prefixLen+dotLen {
			return damaged(it.Key(), "a key of %d bytes", len(it.Key()))
		}
		next, has := behind(seen, dotAt(it.Key()[prefixLen:]))
		if has {
			key = appendDot(append(key[:0], p...), next)
			ok = it.SeekGE(key)
			continue
		}
		if err := f(it.Key()); err != nil {
			return err
		}
		ok = it.Next()
	}
	return it.Error()
}

// behind gives the first dot behind the range of s that holds d.
func behind(s *changelog.Dots, d changelog.Dot) (changelog.Dot, bool) {
	per := s.Replicas()
	i, ok := slices.BinarySearchFunc(per, d.Replica, func(p changelog.ReplicaDots, r changelog.Replica) int {
		return p.Replica.Compare(r)
	})
	if !ok {
		return changelog.Dot{}, false
	}
	rs := per[i].Ranges
	j, _ := slices.BinarySearchFunc(rs, d.Seq, func(r changelog.Range, q uint64) int { return cmp.Compare(r.Hi, q) })
	if j == len(rs) || rs[j].Lo > d.Seq {
		return changelog.Dot{}, false
	}
	if rs[j].Hi < math.MaxUint64 {
		return changelog.Dot{Replica: d.Replica, Seq: rs[j].Hi + 1}, true
	}
	next := d.Replica
	if next.Epoch++; next.Epoch == 0 {
		next.ID++
	}
	return changelog.Dot{Replica: next}, true
}

// Mentioned calls f with every pair of a dot of the set and an entry that
// mentions it.
func (a *Account) Mentioned(dots *changelog.Dots, f func(changelog.Dot, EntryRef) error) error {
	for _, p := range dots.Replicas() {
		for _, r := range p.Ranges {
			lo, hi := changelog.Dot{Replica: p.Replica, Seq: r.Lo}, changelog.Dot{Replica: p.Replica, Seq: r.Hi}
			if err := a.mentioned(lo, hi, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Account) mentioned(lo, hi changelog.Dot, f func(changelog.Dot, EntryRef) error) error {
	err := a.db.scan(recordKey(nil, a.id, lo), after(recordKey(nil, a.id, hi)), func(key, _ []byte) error {
		if len(key) != prefixLen+dotLen {
			return damaged(key, "a key of %d bytes", len(key))
		}
		d := dotAt(key[prefixLen:])
		return f(d, EntryRef{Kind: RefMessage, Message: d})
	})
	if err != nil {
		return err
	}
	p := prefix(nil, a.id, famMentions)
	return a.db.scan(appendDot(p, lo), after(appendDot(p[:prefixLen:prefixLen], hi)), func(key, _ []byte) error {
		d, e, ok := parseMention(key[prefixLen:])
		if !ok {
			return damaged(key, "a malformed key")
		}
		if e.Kind == refOrigin {
			e.Kind = RefMessage
		}
		return f(d, e)
	})
}
