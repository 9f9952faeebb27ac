package store

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// UID is a message's unique identifier within one mailbox and UIDVALIDITY
// (RFC 9051 §2.3.1.1). Zero means: none assigned yet.
type UID uint32

// UIDValidity is a mailbox's UIDVALIDITY. Zero means: none yet.
type UIDValidity uint32

// ModSeq is a modification sequence (RFC 7162). Zero means: unknown.
type ModSeq uint64

// GUID names a message's content for good; on a Maildir it is the base name of
// the file, or the G field of dovecot-uidlist. 1 to MaxGUID bytes, no control
// characters.
type GUID string

// MailboxGUID names a mailbox for good. The zero value means: unknown.
type MailboxGUID [16]byte

// Limits on what comes from outside.
const (
	MaxGUID     = 512  // bytes of a message GUID
	MaxName     = 4096 // bytes of a mailbox name
	MaxLevel    = 1024 // bytes of one level of a mailbox name
	MaxDepth    = 64   // levels of a mailbox name
	MaxKeyword  = 255  // bytes of a keyword
	MaxKeywords = 1024 // keywords of one message
)

// String gives the 32 lower-case hexadecimal digits.
func (g MailboxGUID) String() string { return hex.EncodeToString(g[:]) }

// IsZero reports whether the GUID is unknown.
func (g MailboxGUID) IsZero() bool { return g == MailboxGUID{} }

// Compare orders GUIDs bytewise.
func (g MailboxGUID) Compare(o MailboxGUID) int { return slices.Compare(g[:], o[:]) }

// ParseMailboxGUID reads 32 hexadecimal digits.
func ParseMailboxGUID(s string) (MailboxGUID, error) {
	var g MailboxGUID
	if len(s) != 32 {
		return g, fmt.Errorf("mailbox GUID %.40q: want 32 hexadecimal digits", s)
	}
	if _, err := hex.Decode(g[:], []byte(s)); err != nil {
		return MailboxGUID{}, fmt.Errorf("mailbox GUID %q: %w", s, err)
	}
	return g, nil
}

// Check reports why g cannot be a message GUID.
func (g GUID) Check() error {
	if g == "" || len(g) > MaxGUID {
		return fmt.Errorf("message GUID of %d bytes: want 1 to %d", len(g), MaxGUID)
	}
	for i := 0; i < len(g); i++ {
		if g[i] < 0x20 || g[i] == 0x7f {
			return fmt.Errorf("message GUID %.60q holds a control character", string(g))
		}
	}
	return nil
}

// Flags is a set of system flags (RFC 9051 §2.3.2). \Recent is not kept.
type Flags uint8

// The system flags, in the order in which they are listed.
const (
	Answered Flags = 1 << iota
	Deleted
	Draft
	Flagged
	Seen
)

// AllFlags holds every system flag.
const AllFlags = Answered | Deleted | Draft | Flagged | Seen

var flagNames = []struct {
	f Flags
	n string
}{{Answered, `\Answered`}, {Deleted, `\Deleted`}, {Draft, `\Draft`}, {Flagged, `\Flagged`}, {Seen, `\Seen`}}

// Names lists the flags as IMAP writes them, sorted bytewise.
func (f Flags) Names() []string {
	out := []string{}
	for _, e := range flagNames {
		if f&e.f != 0 {
			out = append(out, e.n)
		}
	}
	return out
}

// Each calls yield for every single flag of f, in order.
func (f Flags) Each(yield func(Flags) bool) {
	for _, e := range flagNames {
		if f&e.f != 0 && !yield(e.f) {
			return
		}
	}
}

func (f Flags) String() string { return strings.Join(f.Names(), " ") }

// ParseFlag reads one system flag, in any case; ok is false for anything else.
func ParseFlag(s string) (f Flags, ok bool) {
	for _, e := range flagNames {
		if strings.EqualFold(e.n, s) {
			return e.f, true
		}
	}
	return 0, false
}

// FoldKeyword gives the form under which two spellings of a keyword are one:
// ASCII lower case (RFC 9051: flags are case-insensitive).
func FoldKeyword(k string) string {
	for i := 0; i < len(k); i++ {
		if c := k[i]; 'A' <= c && c <= 'Z' {
			b := []byte(k)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return k
}

// SortKeywords puts keywords into the order of FoldKeyword, in place, and drops all
// but one spelling of each.
func SortKeywords(ks []string) []string {
	if len(ks) < 2 {
		return ks
	}
	slices.SortFunc(ks, func(a, b string) int {
		return cmp.Or(cmp.Compare(FoldKeyword(a), FoldKeyword(b)), cmp.Compare(a, b))
	})
	return slices.CompactFunc(ks, func(a, b string) bool { return FoldKeyword(a) == FoldKeyword(b) })
}

// CheckKeyword reports why k cannot be a keyword (an IMAP atom, without the
// leading backslash of a system flag; 8-bit is refused, as Dovecot does).
func CheckKeyword(k string) error {
	if k == "" || len(k) > MaxKeyword {
		return fmt.Errorf("keyword of %d bytes: want 1 to %d", len(k), MaxKeyword)
	}
	for i := 0; i < len(k); i++ {
		c := k[i]
		if c <= 0x20 || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return fmt.Errorf("keyword %.60q: %q is not allowed", k, c)
		}
	}
	return nil
}

// Name is a mailbox name: UTF-8, levels separated by "/". INBOX is always
// spelt in capitals.
type Name string

// Inbox is the one mailbox that every account has.
const Inbox Name = "INBOX"

// ErrName is the class of every error of Name.Check.
var ErrName = errors.New("bad mailbox name")

// Levels splits the name. The empty name has none.
func (n Name) Levels() []string {
	if n == "" {
		return nil
	}
	return strings.Split(string(n), "/")
}

// Parent is the name one level up, or "" for a top-level name.
func (n Name) Parent() Name {
	if i := strings.LastIndexByte(string(n), '/'); i >= 0 {
		return n[:i]
	}
	return ""
}

// Base is the last level.
func (n Name) Base() string { return string(n[strings.LastIndexByte(string(n), '/')+1:]) }

// Child joins a level to the name.
func (n Name) Child(level string) Name {
	if n == "" {
		return Name(level)
	}
	return n + "/" + Name(level)
}

// IsUnder reports whether n lies strictly below p.
func (n Name) IsUnder(p Name) bool {
	return p == "" || len(n) > len(p) && n[len(p)] == '/' && n[:len(p)] == p
}

// Check reports why the name cannot be a mailbox in any store; nil if it can.
// It refuses what could leave the account: empty levels, "." and "..", NUL and
// other control characters, invalid UTF-8, and anything over the limits.
func (n Name) Check() error {
	if n == "" || len(n) > MaxName {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrName, len(n), MaxName)
	}
	if !utf8.ValidString(string(n)) {
		return fmt.Errorf("%w %.80q: not UTF-8", ErrName, string(n))
	}
	levels := n.Levels()
	if len(levels) > MaxDepth {
		return fmt.Errorf("%w %.80q: %d levels, at most %d", ErrName, string(n), len(levels), MaxDepth)
	}
	for _, l := range levels {
		if l == "" || l == "." || l == ".." || len(l) > MaxLevel {
			return fmt.Errorf("%w %.80q: level %.40q", ErrName, string(n), l)
		}
		for _, r := range l {
			if r < 0x20 || r == 0x7f || 0x80 <= r && r < 0xa0 {
				return fmt.Errorf("%w %.80q: control character %U", ErrName, string(n), r)
			}
		}
	}
	if levels[0] != "INBOX" && strings.EqualFold(levels[0], "INBOX") {
		return fmt.Errorf("%w %.80q: write INBOX in capitals", ErrName, string(n))
	}
	return nil
}

// CompareNames orders names level by level, INBOX first: the order of every
// listing.
func CompareNames(a, b Name) int {
	if (a == Inbox) != (b == Inbox) {
		if a == Inbox {
			return -1
		}
		return 1
	}
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		switch { // the end of a level sorts before any byte within one
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// Content is what a message's bytes are: GUID, physical size in bytes as
// stored, and a hash of the header (zero: not computed yet). Equal GUIDs with
// unequal size or hash are two contents.
type Content struct {
	GUID GUID
	Size int64
	Hash HeaderHash
}

// HeaderHash is the first 16 bytes of SHA-256 over the raw header: the bytes up
// to and including the first empty line, at most MaxHeader of them. All zero
// means: not computed.
type HeaderHash [16]byte

// MaxHeader bounds the bytes that a HeaderHash covers.
const MaxHeader = 1 << 20

// Message is one message as a store holds it.
type Message struct {
	Handle   Handle
	UID      UID // 0: the store has not assigned one
	Content  Content
	Flags    Flags
	Keywords []string  // sorted by FoldKeyword, no two that fold alike
	Received time.Time // INTERNALDATE, whole seconds, UTC
	ModSeq   ModSeq    // 0: the store keeps none
	// Changed is evidence for when the message came or last changed (ctime or
	// mtime of its file); zero if there is none.
	Changed time.Time
	// Inode names the message's file, also under another name, and never a later
	// file: it lets a client's move be told from a delivery where file names
	// change. 0 if the store has no such number.
	Inode uint64
	// Key is the part of the handle that flag changes leave alone (on a Maildir
	// the base name before ":2,"): what an intent names.
	Key string
	// Hash is Snapshot.Hash of the handle; 0 where no snapshot gave the message.
	Hash uint64
}

// Handle names a message in its mailbox together with its visible state: it
// changes whenever flags or keywords change, and is thus the "compare" of every
// compare-and-set. On a Maildir it is "cur/" or "new/" and the file name.
type Handle string
