package changelog

import "dsync/store"

// Event is one change, first seen outside a run. Cause is the dot it follows
// from, if any (the other half of a copy; what a backup undid).
type Event struct {
	Dot   Dot
	Stamp Stamp
	Cause Dot
	Body  Body
}

// Body is the closed family of what can happen. Every switch over it names all.
type Body interface{ Kind() Kind }

// Kind numbers the members of the family; the numbers are the stored form and
// never change.
type Kind uint8

// The kinds of event.
const (
	KindDeliver Kind = iota + 1
	KindFound
	KindCopy
	KindMove
	KindExpunge
	KindSetFlags
	KindSetKeywords
	KindCreateMailbox
	KindRenameMailbox
	KindDeleteMailbox
	KindSubscribe
	KindSetAttribute
	KindRaiseUIDNext
	KindResetUIDs
	KindRestore
)

var kindNames = [...]string{"", "deliver", "found", "copy", "move", "expunge", "flags", "keywords",
	"create-mailbox", "rename-mailbox", "delete-mailbox", "subscribe", "set-attribute", "raise-uidnext", "reset-uids", "restore"}

func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "unknown"
}

// Deliver: a new message came into a mailbox.
type Deliver struct {
	Mailbox store.MailboxGUID
	Path    store.Name
	UID     store.UID
	GUID    store.GUID
	Flags   store.Flags
}

// Found: a message was met where there is no history.
type Found Deliver

// Copy: a message came into a mailbox as a copy of one of the account; the event's
// Cause is the source's origin.
type Copy Deliver

// Move: a message left one mailbox and came up in another.
type Move struct {
	Message  Dot // an origin of the message
	From, To store.Name
	UID      store.UID
	GUID     store.GUID
}

// Restore: a run put a message back that had been expunged here (backup).
type Restore Move

// Expunge: a message was removed.
type Expunge struct {
	Message Dot
	Path    store.Name
	UID     store.UID
	GUID    store.GUID
}

// SetFlags: system flags of a message were set or cleared; no bit is in both.
type SetFlags struct {
	Message    Dot
	Path       store.Name
	UID        store.UID
	Set, Clear store.Flags
}

// SetKeywords: keywords of a message were set or cleared.
type SetKeywords struct {
	Message    Dot
	Path       store.Name
	UID        store.UID
	Set, Clear []string
}

// CreateMailbox: a mailbox came to be.
type CreateMailbox struct {
	Mailbox  store.MailboxGUID
	Path     store.Name
	NoSelect bool
	Found    bool
}

// RenameMailbox: a mailbox was placed elsewhere.
type RenameMailbox struct {
	Mailbox  store.MailboxGUID
	From, To store.Name
}

// DeleteMailbox: a mailbox was removed, with the mail in it.
type DeleteMailbox struct {
	Mailbox  store.MailboxGUID
	Path     store.Name
	Messages uint32
}

// Subscribe: a name was subscribed or unsubscribed.
type Subscribe struct {
	Path store.Name
	On   bool
}

// SetAttribute: an attribute of a mailbox (or, with an empty path, of the
// account) was set, or with an empty value removed.
type SetAttribute struct {
	Path       store.Name
	Key, Value string
}

// RaiseUIDNext: UIDNEXT rose although no message is there for it.
type RaiseUIDNext struct {
	Path    store.Name
	UIDNext store.UID
}

// ResetUIDs: the mailbox has a new UIDVALIDITY.
type ResetUIDs struct {
	Path        store.Name
	UIDValidity store.UIDValidity
}

// Kind implements Body.
func (Deliver) Kind() Kind       { return KindDeliver }
func (Found) Kind() Kind         { return KindFound }
func (Copy) Kind() Kind          { return KindCopy }
func (Move) Kind() Kind          { return KindMove }
func (Restore) Kind() Kind       { return KindRestore }
func (Expunge) Kind() Kind       { return KindExpunge }
func (SetFlags) Kind() Kind      { return KindSetFlags }
func (SetKeywords) Kind() Kind   { return KindSetKeywords }
func (CreateMailbox) Kind() Kind { return KindCreateMailbox }
func (RenameMailbox) Kind() Kind { return KindRenameMailbox }
func (DeleteMailbox) Kind() Kind { return KindDeleteMailbox }
func (Subscribe) Kind() Kind     { return KindSubscribe }
func (SetAttribute) Kind() Kind  { return KindSetAttribute }
func (RaiseUIDNext) Kind() Kind  { return KindRaiseUIDNext }
func (ResetUIDs) Kind() Kind     { return KindResetUIDs }
