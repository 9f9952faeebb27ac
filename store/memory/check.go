package memory

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"dsync/store"
)

// cleanKeywords gives the canonical list: sorted by FoldKeyword, one spelling
// each.
func cleanKeywords(in []string) ([]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := slices.Clone(in)
	for _, k := range out {
		if err := store.CheckKeyword(k); err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrUnsupported, err)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		if c := strings.Compare(store.FoldKeyword(a), store.FoldKeyword(b)); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	out = slices.CompactFunc(out, func(a, b string) bool { return store.FoldKeyword(a) == store.FoldKeyword(b) })
	if len(out) > store.MaxKeywords {
		return nil, fmt.Errorf("%w: %d keywords, at most %d", store.ErrUnsupported, len(out), store.MaxKeywords)
	}
	return out, nil
}

// roomFor reports whether the mailbox may hold these keywords besides its own.
func (a *account) roomFor(b *mailbox, keywords []string) error {
	if a.caps.Keywords < 0 || len(keywords) == 0 {
		return nil
	}
	set := map[string]bool{}
	for _, m := range b.msgs {
		for _, k := range m.keywords {
			set[store.FoldKeyword(k)] = true
		}
	}
	had := len(set)
	for _, k := range keywords {
		set[store.FoldKeyword(k)] = true
	}
	if len(set) > had && len(set) > a.caps.Keywords {
		return fmt.Errorf("%w: more than %d keywords in the mailbox", store.ErrUnsupported, a.caps.Keywords)
	}
	return nil
}

// headerHash hashes the bytes up to and including the first empty line.
func headerHash(body []byte) store.HeaderHash {
	end := len(body)
	for at := 0; at < len(body); {
		i := bytes.IndexByte(body[at:], '\n')
		if i < 0 {
			break
		}
		line := body[at : at+i]
		at += i + 1
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			end = at
			break
		}
	}
	sum := sha256.Sum256(body[:min(end, store.MaxHeader)])
	return store.HeaderHash(sum[:len(store.HeaderHash{})])
}

// fitKey reports whether a key can be a key here: a file name's worth of bytes
// without what Maildir or handles give a meaning to.
func fitKey(k string) bool {
	if k == "" || len(k) > 200 || k[0] == '.' || store.GUID(k).Check() != nil {
		return false
	}
	return !strings.ContainsAny(k, "/:")
}

// keyOf reads the key from a handle.
func keyOf(h store.Handle) string {
	k, _, _ := strings.Cut(string(h), "/")
	return k
}
