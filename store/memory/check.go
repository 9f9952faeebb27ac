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
	out = store.SortKeywords(out)
	if len(out) > store.MaxKeywords {
		return nil, fmt.Errorf("%w: %d keywords, at most %d", store.ErrUnsupported, len(out), store.MaxKeywords)
	}
	return out, nil
}

// fit splits keywords, in their order, into those that the mailbox has, or has room
// for, and the others.
func (a *account) fit(b *mailbox, keywords []string) (in, out []string) {
	if a.caps.Keywords < 0 || len(keywords) == 0 {
		return keywords, nil
	}
	has := map[string]bool{}
	for _, m := range b.msgs {
		had(has, m.keywords)
	}
	return split(has, a.caps.Keywords, keywords)
}

// had adds a message's keywords to those that its mailbox has.
func had(has map[string]bool, keywords []string) {
	for _, k := range keywords {
		has[store.FoldKeyword(k)] = true
	}
}

// split is fit for a mailbox that has some keywords and keeps at most limit; has
// gains what fits.
func split(has map[string]bool, limit int, keywords []string) (in, out []string) {
	for _, k := range keywords {
		fold := store.FoldKeyword(k)
		if !has[fold] && len(has) >= limit {
			out = append(out, k)
			continue
		}
		has[fold] = true
		in = append(in, k)
	}
	return in, out
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
