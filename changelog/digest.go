package changelog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"

	"dsync/store"
)

// Digest is a sum of hashes mod 2¹²⁸, big-endian. The digest of a mailbox is the
// sum over its messages, so that it is kept up to date message by message, in any
// order, and equal copies do not cancel (as they would under XOR). Zero is the
// digest of an empty mailbox.
type Digest [16]byte

// The first bytes of what is hashed: one kind of digest is never taken for
// another, and a change of what is hashed gets a new number.
const (
	messageDomain = "dsync message 1\x00"
	accountDomain = "dsync account 1\x00"
)

// Add puts o into the sum.
func (d *Digest) Add(o Digest) {
	lo, c := bits.Add64(binary.BigEndian.Uint64(d[8:]), binary.BigEndian.Uint64(o[8:]), 0)
	hi, _ := bits.Add64(binary.BigEndian.Uint64(d[:8]), binary.BigEndian.Uint64(o[:8]), c)
	binary.BigEndian.PutUint64(d[:8], hi)
	binary.BigEndian.PutUint64(d[8:], lo)
}

// Sub takes o out of the sum.
func (d *Digest) Sub(o Digest) {
	lo, c := bits.Sub64(binary.BigEndian.Uint64(d[8:]), binary.BigEndian.Uint64(o[8:]), 0)
	hi, _ := bits.Sub64(binary.BigEndian.Uint64(d[:8]), binary.BigEndian.Uint64(o[:8]), c)
	binary.BigEndian.PutUint64(d[:8], hi)
	binary.BigEndian.PutUint64(d[8:], lo)
}

// Equal reports whether both are the same sum.
func (d Digest) Equal(o Digest) bool { return d == o }

// IsZero reports whether it is the digest of nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// String gives the 32 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads what String wrote.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*len(d) {
		return d, fmt.Errorf("digest %.40q: want 32 hexadecimal digits", s)
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, fmt.Errorf("digest %q: %w", s, err)
	}
	return d, nil
}

// MessageDigest is what one message adds to its mailbox's digest: SHA-256, cut to
// 128 bits, over what an IMAP client sees of it. size is in bytes as stored,
// received in unix seconds; keywords count by their folded form, in any order.
func MessageDigest(uid store.UID, guid store.GUID, size int64, flags store.Flags, keywords []string, received int64) Digest {
	var mem [512]byte
	b := append(mem[:0], messageDomain...)
	b = binary.BigEndian.AppendUint32(b, uint32(uid))
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	b = binary.BigEndian.AppendUint64(b, uint64(received))
	b = append(b, byte(flags))
	b = appendSized(b, string(guid))
	if !foldSorted(keywords) {
		keywords = slices.Clone(keywords)
		for i, k := range keywords {
			keywords[i] = store.FoldKeyword(k)
		}
		slices.Sort(keywords)
		keywords = slices.Compact(keywords)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(keywords)))
	for _, k := range keywords {
		b = appendSized(b, store.FoldKeyword(k))
	}
	return cut(b)
}

// foldSorted reports whether the folded keywords ascend strictly.
func foldSorted(ks []string) bool {
	for i := 1; i < len(ks); i++ {
		if store.FoldKeyword(ks[i-1]) >= store.FoldKeyword(ks[i]) {
			return false
		}
	}
	return true
}

func appendSized(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func cut(b []byte) Digest {
	h := sha256.Sum256(b)
	return Digest(h[:16])
}

// MailboxSummary is what a mailbox adds to the digest of its account.
type MailboxSummary struct {
	Path        store.Name
	NoSelect    bool // a parent without mail: the fields below but Attributes are zero
	UIDValidity store.UIDValidity
	UIDNext     store.UID
	Attributes  map[string]string
	Messages    Digest
}

// AccountDigest is the digest of a whole account: mailboxes with their paths,
// UIDVALIDITY, UIDNEXT, attributes and messages; subscribed names; and the
// account's own attributes. The order of the lists does not count. Two accounts
// are equal when their digests are.
func AccountDigest(boxes []MailboxSummary, subscriptions []store.Name, attributes map[string]string) Digest {
	boxes = slices.Clone(boxes)
	slices.SortFunc(boxes, func(a, b MailboxSummary) int { return store.CompareNames(a.Path, b.Path) })
	subscriptions = slices.Clone(subscriptions)
	slices.Sort(subscriptions)
	b := append([]byte(nil), accountDomain...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(boxes)))
	for _, m := range boxes {
		b = appendSized(b, string(m.Path))
		if m.NoSelect {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(m.UIDValidity))
		b = binary.BigEndian.AppendUint32(b, uint32(m.UIDNext))
		b = append(b, m.Messages[:]...)
		b = appendAttributes(b, m.Attributes)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(subscriptions)))
	for _, n := range subscriptions {
		b = appendSized(b, string(n))
	}
	return cut(appendAttributes(b, attributes))
}

// appendAttributes writes attributes by key; an empty value is none.
func appendAttributes(b []byte, attrs map[string]string) []byte {
	keys := make([]string, 0, len(attrs))
	for k, v := range attrs {
		if v != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	b = binary.BigEndian.AppendUint32(b, uint32(len(keys)))
	for _, k := range keys {
		b = appendSized(appendSized(b, k), attrs[k])
	}
	return b
}
