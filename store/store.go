package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Kinds of expected trouble. Every error of a Store wraps one of these where it
// fits; anything else is an I/O error of the system.
var (
	ErrChanged     = errors.New("changed meanwhile by another program") // compare-and-set failed; run again
	ErrNoMailbox   = errors.New("no such mailbox")
	ErrNoMessage   = errors.New("no such message")
	ErrExists      = errors.New("mailbox exists already")
	ErrReadOnly    = errors.New("store is read-only")
	ErrUnsupported = errors.New("the store cannot hold this") // a name, size or keyword
	ErrBusy        = errors.New("locked by another process")
	ErrDamaged     = errors.New("damaged")
	ErrGone        = errors.New("the store is not there") // never made, unmounted, or removed
	// ErrIgnored is of a Skip that leaves out nothing that an IMAP client would see:
	// people should know of it, and a run is whole all the same.
	ErrIgnored = errors.New("ignored")
)

// Capabilities says what a store can do.
type Capabilities struct {
	AssignUIDs     bool // keeps the UIDs it is given
	KeepGUIDs      bool // keeps the message GUIDs it is given
	MailboxGUIDs   bool // keeps the mailbox GUIDs it is given
	ModSeqs        bool // has modseqs of its own
	Attributes     bool
	Subscriptions  bool
	AtomicMove     bool // moves a message between mailboxes in one step
	Link           bool // copies inside the account without copying bytes
	Keywords       int  // keywords it can keep per mailbox; -1: no limit
	MaxMessageSize int64
	ReadOnly       bool
}

// MailboxInfo is one node of the mailbox tree as the store shows it.
type MailboxInfo struct {
	Name     Name
	NoSelect bool      // exists only as a parent, and goes with its last child; holds no mail
	Changed  time.Time // evidence for when it was made or renamed; zero if none
	// Dir recognises a mailbox that has no GUID yet across a rename (device, inode
	// and birth); "" if the store has no such thing.
	Dir string
}

// Tree is the mailbox tree and what belongs to the account as a whole.
type Tree struct {
	Mailboxes     []MailboxInfo // by CompareNames, parents included; INBOX always
	Subscriptions []Name        // by CompareNames; may name mailboxes that do not exist
	Attributes    map[string]string
	// SubsChanged is evidence for when the subscriptions last changed.
	SubsChanged time.Time
	Skipped     []Skip // what is there but cannot be synced, with the reason
}

// Skip names something that was left out, and why.
type Skip struct {
	Mailbox Name   // "" if the thing is not in a mailbox
	Item    string // file or name, as found
	Err     error
}

func (s Skip) String() string {
	if s.Mailbox == "" {
		return fmt.Sprintf("%q: %v", s.Item, s.Err)
	}
	return fmt.Sprintf("%s: %q: %v", s.Mailbox, s.Item, s.Err)
}

// Fingerprint is an opaque, canonical encoding of everything that changes when
// a mailbox (or the tree) changes. Equal and not Racy: nothing changed.
type Fingerprint []byte

// Look is one look at something: its fingerprint, and whether the look was so
// close to the last change that a further change could hide behind the clock's
// grain; then it must be looked at again next time.
type Look struct {
	Print Fingerprint
	Racy  bool
}

// Watcher is a Store that can tell what it does itself from what others do: a
// mailbox that only it has changed need not be listed again. It is asked for by a
// type assertion, and may fail at any time for want of means.
type Watcher interface {
	// Watch begins to watch a mailbox, which looks as it did then; otherwise
	// ErrChanged.
	Watch(ctx context.Context, n Name, since Fingerprint) error
	// Settled ends the watch. If since then nothing but this Store's own changes
	// happened to the mailbox it gives the look at it, which is not racy.
	Settled(ctx context.Context, n Name) (Look, bool)
}

// Status is what a mailbox says of itself.
type Status struct {
	GUID        MailboxGUID // zero: the store has none written down (yet)
	UIDValidity UIDValidity // zero: none written down (yet)
	UIDNext     UID         // at least 1
	HighestMod  ModSeq      // 0: the store keeps none
	Attributes  map[string]string
}

// Snapshot is one listing of a mailbox. Indexes run from 0 to Len()-1 in no
// promised order. It holds names and hashes only; Describe opens what it needs.
type Snapshot interface {
	Status() Status
	Look() Look
	// Stable is false if the mailbox changed while it was listed: what is missing
	// from the listing is then no proof of an expunge.
	Stable() bool
	Len() int
	// Hash is a 64-bit hash of the handle's visible state (file name with flags,
	// and the keywords its letters stand for, not the UID).
	Hash(i int) uint64
	// UIDsStand is true if every message that had a UID and GUID at the look
	// given to Scan has the same ones still. If false, Describe all.
	UIDsStand() bool
	// Describe gives the messages at the indexes. A message that vanished since
	// the listing is left out; one that cannot be read comes back as a Skip.
	Describe(ctx context.Context, idx []int) ([]Message, []Skip, error)
	// DescribeUIDs is Describe without Received, Size, Changed and Inode: it opens
	// and stats nothing per message.
	DescribeUIDs(idx []int) ([]Message, error)
	// NoRoom gives those of the keywords, together, that no message of the mailbox
	// can be made to show, for the mailbox has as many as it can keep.
	NoRoom(keywords []string) []string
}

// Cost counts work, so that "nothing changed" can be asserted.
type Cost struct {
	NamesListed int64 // message names read from directories or servers
	FilesOpened int64 // files opened, but for the store's own lock and mark
	BytesRead   int64
	BytesWrote  int64
}

// NewMessage is a message to be made.
type NewMessage struct {
	// Key is the name chosen for it with ChooseKey, used for nothing else.
	Key      string
	UID      UID
	Content  Content // GUID wanted; Size and Hash are checked if not zero
	Flags    Flags
	Keywords []string
	Received time.Time
}

// Staged is a message written but not yet visible.
type Staged struct {
	NewMessage        // Content is complete here: size and hash as written
	Mailbox    Name   // where it will be visible
	Temp       string // private to the store
}

// FlagChange replaces the flags and keywords of one message.
type FlagChange struct {
	Handle   Handle // as seen; compare
	Flags    Flags
	Keywords []string
}

// MoveIn brings a message from another mailbox of the account. Flags and
// keywords are replaced as with FlagChange, the received date as with UIDChange.
type MoveIn struct {
	From     Name
	Handle   Handle // as seen in From; compare
	UID      UID
	GUID     GUID
	Flags    Flags
	Keywords []string
	Received time.Time
}

// UIDChange gives a message a (new) UID, and this GUID, if the store keeps GUIDs: its
// own where it had none, another only with another UID (conflicts.md 29). "" leaves
// it. Received, if not zero, replaces the received date of this message alone; it is
// durable when the UID is. Linked copies that differ in it take the earliest.
type UIDChange struct {
	Handle   Handle
	UID      UID
	GUID     GUID
	Received time.Time
}

// Change is a set of effects on one mailbox, made under its lock at one go, in
// the order of the fields. An item that fails leaves the others alone.
type Change struct {
	// UIDNextSeen is the UIDNEXT that the UIDs in this change were planned
	// against. If the mailbox has a higher one by now and the change gives out
	// UIDs, nothing is done and Apply returns ErrChanged. 0: not checked.
	UIDNextSeen UID
	Add         []*Staged
	In          []MoveIn
	Flags       []FlagChange
	UIDs        []UIDChange
	Expunge     []Handle
	GUID        MailboxGUID       // zero: leave
	UIDValidity UIDValidity       // zero: leave
	UIDNext     UID               // raise to this if lower; with a new UIDValidity: set
	Attributes  map[string]string // "" removes
	// Held is a hint: how many messages the caller knows in the mailbox. 0: it
	// does not say.
	Held int
}

// Result says what became of each item of a Change. Handles are the new ones;
// an error leaves that item undone. A keyword for which the mailbox has no room is
// no error: all else of the item is done, and Unshown names it.
type Result struct {
	Add     []Done
	In      []Done
	Flags   []Done
	UIDs    []Done
	Expunge []Done
}

// Done is what became of one item.
type Done struct {
	Handle Handle
	Hash   uint64 // as Snapshot.Hash gives for the new handle
	Err    error  // wraps ErrChanged, ErrNoMessage, ErrUnsupported, or is I/O
	// Unshown are keywords asked for that the message does not show (Snapshot.NoRoom),
	// by FoldKeyword; nil with UIDChange and Expunge.
	Unshown []string
}

// Rename moves one mailbox, not its children.
type Rename struct{ From, To Name }

// Mark is what a log leaves in the store to recognise it by.
type Mark struct {
	Replica string // of the log; opaque here, at most 256 bytes, no newline
	Counter uint64 // rewritten by each run that changed something
}

// Found is where a key was found.
type Found struct {
	Mailbox Name
	Handle  Handle
	UID     UID
}

// Store is one account in some format.
type Store interface {
	Capabilities() Capabilities
	// Location names the store for people and logs, in the form that opens it.
	Location() string
	// Identity recognises the store's place (device and inode, or the like).
	Identity() string
	// Lock keeps other runs of ours out until unlock is called. It waits at most
	// wait, then returns an error that wraps ErrBusy and names the holder.
	Lock(ctx context.Context, wait time.Duration) (unlock func() error, err error)

	Mark() (m Mark, ok bool, err error)
	SetMark(Mark) error

	// TreeLook is cheap. Tree lists.
	TreeLook(ctx context.Context) (Look, error)
	Tree(ctx context.Context) (*Tree, Look, error)
	// MailboxLook is cheap: no listing, nothing opened.
	MailboxLook(ctx context.Context, n Name) (Look, error)
	Status(ctx context.Context, n Name) (Status, error)
	// Scan lists a mailbox. since is the print of the last look whose UIDs the
	// caller knows, or nil.
	Scan(ctx context.Context, n Name, since Fingerprint) (Snapshot, error)
	// Open gives the message's bytes exactly. If the message was renamed
	// meanwhile (flags), the store finds it by its key.
	Open(ctx context.Context, n Name, h Handle) (io.ReadCloser, error)
	// Find looks for keys in every mailbox, cur, new and the like.
	Find(ctx context.Context, keys []string) (map[string]Found, error)

	// KeyOf gives the key within a handle of this store (Message.Key).
	KeyOf(h Handle) string
	// ChooseKey gives a name that was never used in the account. hint is the key
	// at the other side, preferred if keep is true and it is fit; the caller says
	// keep only if it knows that the account holds no message of that key.
	ChooseKey(hint string, keep bool) string
	// Stage writes a message out of sight. The reader is read to its end.
	Stage(ctx context.Context, n Name, m NewMessage, body io.Reader) (*Staged, error)
	// StageLink makes a copy of a message of this account out of sight.
	StageLink(ctx context.Context, n Name, m NewMessage, from Name, h Handle) (*Staged, error)
	SyncStaged(ctx context.Context, s []*Staged) error
	Unstage(s []*Staged) error
	// Cleanup removes what dead runs staged in the mailboxes. One that is not there
	// is passed over.
	Cleanup(ctx context.Context, in []Name) error
	Apply(ctx context.Context, n Name, c *Change) (*Result, error)

	// CreateMailbox makes the mailbox with this identity, parents as needed.
	CreateMailbox(ctx context.Context, n Name, s Status) error
	// RenameMailboxes makes all moves at once: names may swap. Children stay
	// unless they are named too. Running it again after a crash completes it.
	RenameMailboxes(ctx context.Context, moves []Rename) error
	// DeleteMailbox removes a mailbox that holds no message; otherwise it
	// returns ErrChanged. Children stay.
	DeleteMailbox(ctx context.Context, n Name) error
	SetSubscribed(ctx context.Context, n Name, on bool) error
	SetAttribute(ctx context.Context, key, value string) error

	Cost() Cost
	Close() error
}
