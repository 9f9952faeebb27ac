package logdb

import (
	"fmt"

	"dsync/changelog"
	"dsync/store"
)

// RefKind says what an EntryRef names.
type RefKind uint8

// The kinds of entry. refOrigin is stored for a dot that is an origin of the
// message; outside it is a RefMessage.
const (
	refOrigin RefKind = iota
	RefMessage
	RefNode
	RefBare
)

// EntryRef names one entry of the view. It is comparable.
type EntryRef struct {
	Kind    RefKind
	Message changelog.Dot     // of RefMessage: the identity
	Node    store.MailboxGUID // of RefNode: the GUID shown
	Bare    store.Name        // of RefBare
}

func (e EntryRef) String() string {
	switch e.Kind {
	case refOrigin, RefMessage:
		return fmt.Sprintf("message %v", e.Message)
	case RefNode:
		return fmt.Sprintf("mailbox %v", e.Node)
	case RefBare:
		return fmt.Sprintf("subscription %q", string(e.Bare))
	}
	return "nothing"
}

func nodeRef(n *changelog.Node) EntryRef { return EntryRef{Kind: RefNode, Node: n.GUID()} }
func bareRef(b *changelog.Bare) EntryRef { return EntryRef{Kind: RefBare, Bare: b.Name} }
