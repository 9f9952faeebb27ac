package logdb

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"dsync/changelog"
)

// Problem is one thing that Check found.
type Problem struct {
	Key  string // of the database, as in errors
	What string
	// Index says that Rebuild mends it. Anything else is lost, and the account is
	// safe only as one without history: DropAccount, then look at the store anew.
	Index bool
}

func (p Problem) String() string { return p.Key + ": " + p.What }

// maxProblems bounds what Check reports.
const maxProblems = 1000

// indexes are the families that follow from records and tree.
var indexes = [...]byte{famGUID, famNames, famMentions}

// Check reads all of the account: every value must be readable, and the indexes
// must hold what follows from the entries, and nothing else. It takes little
// memory unless the indexes are wrong. The error is of reading the database.
func (a *Account) Check() ([]Problem, error) {
	var c checker
	want, err := a.entries(&c)
	if err != nil {
		return nil, err
	}
	if err := a.checkRest(&c); err != nil {
		return nil, err
	}
	if len(c.found) > 0 {
		return c.found, nil // the indexes of what cannot be read are unknown
	}
	for _, fam := range indexes {
		have := changelog.Digest{}
		p := prefix(nil, a.id, fam)
		err := a.db.scan(p, after(p), func(key, val []byte) error {
			if len(val) > 0 {
				c.add(key, "an index entry with a value", true)
			}
			have.Add(keyDigest(key))
			return nil
		})
		if err != nil {
			return nil, err
		}
		if have != want[fam] {
			if err := a.compareIndex(&c, fam); err != nil {
				return nil, err
			}
		}
	}
	return c.found, nil
}

type checker struct{ found []Problem }

func (c *checker) add(key []byte, what string, index bool) {
	if len(c.found) < maxProblems {
		c.found = append(c.found, Problem{keyName(key), what, index})
	}
}

func keyDigest(key []byte) changelog.Digest {
	h := sha256.Sum256(key)
	return changelog.Digest(h[:16])
}

// entries reads all entries and gives, per index family, the sum over the keys
// that should be there.
func (a *Account) entries(c *checker) (map[byte]changelog.Digest, error) {
	want := map[byte]changelog.Digest{}
	err := a.indexKeys(c, func(key []byte) error {
		d := want[key[accountLen]]
		d.Add(keyDigest(key))
		want[key[accountLen]] = d
		return nil
	})
	return want, err
}

// indexKeys calls f with every index key that follows from records and tree.
// Entries that cannot be read go to c.
func (a *Account) indexKeys(c *checker, f func(key []byte) error) error {
	var buf []byte
	var ferr error
	add := func(key []byte) {
		if ferr == nil {
			ferr = f(key)
		}
	}
	p := prefix(nil, a.id, famRecord)
	err := a.db.scan(p, after(p), func(key, val []byte) error {
		r, err := readRecord(key, val)
		if err == nil {
			err = r.keys(a.id, buf, add)
		}
		return c.note(key, err, ferr)
	})
	if err != nil {
		return err
	}
	p = prefix(nil, a.id, famNode)
	err = a.db.scan(p, after(p), func(key, val []byte) error {
		payload, err := unframe(key, val)
		if err == nil {
			var n *changelog.Node
			if n, err = changelog.DecodeNode(payload); err == nil {
				if string(key[prefixLen:]) != string(n.GUIDs[0][:]) {
					err = misplaced("mailbox node")
				} else {
					err = mentions(a.id, nodeRef(n), n.Mentions(), nil, add)
				}
			}
		}
		return c.note(key, err, ferr)
	})
	if err != nil {
		return err
	}
	p = prefix(nil, a.id, famBare)
	return a.db.scan(p, after(p), func(key, val []byte) error {
		payload, err := unframe(key, val)
		if err == nil {
			var b *changelog.Bare
			if b, err = changelog.DecodeBare(payload); err == nil {
				if string(key[prefixLen:]) != string(b.Name) {
					err = misplaced("subscription")
				} else {
					err = mentions(a.id, bareRef(b), b.Mentions(), nil, add)
				}
			}
		}
		return c.note(key, err, ferr)
	})
}

// note takes damage down and passes other errors on.
func (c *checker) note(key []byte, err, other error) error {
	if other != nil {
		return other
	}
	var ce *changelog.CorruptError
	if errors.As(err, &ce) {
		c.add(key, err.Error(), false)
		return nil
	}
	return err
}

// checkRest reads the values that are no entries.
func (a *Account) checkRest(c *checker) error {
	if _, err := a.db.readMeta(a.id); err != nil {
		if err := c.note(prefix(nil, a.id, famMeta), err, nil); err != nil {
			return err
		}
	}
	read := map[byte]func(p []byte) error{
		famBox:      func(p []byte) error { _, err := decodeMailbox(p); return err },
		famEvents:   func(p []byte) error { _, _, err := decodeChunk(p); return err },
		famReport:   func(p []byte) error { _, _, err := decodeReport(p); return err },
		famIntent:   func(p []byte) error { _, err := decodeIntent(p); return err },
		famUVs:      func(p []byte) error { _, err := changelog.DecodeHeld(p); return err },
		famVanished: func(p []byte) error { _, _, err := decodeVanished(p); return err },
	}
	for _, fam := range [...]byte{famBox, famEvents, famReport, famIntent, famUVs, famVanished} {
		p := prefix(nil, a.id, fam)
		err := a.db.scan(p, after(p), func(key, val []byte) error {
			payload, err := unframe(key, val)
			if err == nil {
				err = read[fam](payload)
			}
			return c.note(key, err, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compareIndex names the differences between an index and what it should be.
func (a *Account) compareIndex(c *checker, fam byte) error {
	want := map[string]bool{}
	var skip checker
	err := a.indexKeys(&skip, func(key []byte) error {
		if key[accountLen] == fam {
			want[string(key)] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	p := prefix(nil, a.id, fam)
	err = a.db.scan(p, after(p), func(key, _ []byte) error {
		if !want[string(key)] {
			c.add(key, "an index entry that nothing calls for", true)
		}
		delete(want, string(key))
		return nil
	})
	missing := make([]string, 0, len(want))
	for k := range want {
		missing = append(missing, k)
	}
	for _, k := range sortedStrings(missing) {
		c.add([]byte(k), "an index entry is missing", true)
	}
	return err
}

// Rebuild writes all indexes anew from records and tree, in one durable batch. It
// refuses if an entry cannot be read: what that held is unknown.
func (a *Account) Rebuild() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.db.kept.newBatch() // commit closes it; a second Close could close its next user's
	for _, fam := range indexes {
		p := prefix(nil, a.id, fam)
		b.DeleteRange(p, after(p), nil)
	}
	var c checker
	err := a.indexKeys(&c, func(key []byte) error { return b.Set(key, nil, nil) })
	if err != nil {
		b.Close()
		return fmt.Errorf("rebuild indexes: %w", err)
	}
	if len(c.found) > 0 {
		b.Close()
		return fmt.Errorf("rebuild indexes: %w", &changelog.CorruptError{What: "account", Offset: -1, Reason: c.found[0].String()})
	}
	roused := a.rouse(b)
	if err := a.db.commit(b, true); err != nil {
		return fmt.Errorf("rebuild indexes: %w", err)
	}
	roused()
	return nil
}
