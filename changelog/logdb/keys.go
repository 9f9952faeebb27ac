package logdb

import (
	"encoding/binary"

	"dsync/changelog"
	"dsync/store"
)

// Families of keys of one account. The letter follows the account's identity.
const (
	famBox      = 'B' // mailbox GUID -> Box
	famEvents   = 'e' // sequence of the first event -> chunk of events
	famGUID     = 'g' // message GUID, 0, message -> nothing
	famIntent   = 'i' // identity -> Intent
	famMentions = 'm' // dot, kind, entry -> nothing
	famMeta     = 'M' // nothing -> the small part of Meta
	famNames    = 'h' // mailbox GUID, hash, message -> nothing
	famNode     = 'n' // mailbox GUID -> changelog.Node
	famPeers    = 'P' // nothing -> Meta.Peers
	famRecord   = 'r' // message -> Record
	famReport   = 'p' // sequence -> report
	famBare     = 's' // name -> changelog.Bare
	famListing  = 't' // nothing -> Meta.Tree
	famUVs      = 'u' // path -> []changelog.Held
	famVanished = 'v' // mailbox GUID, modseq, first UID -> last UID, when
	famFloor    = 'z' // nothing -> sequences below which everything was trimmed
)

// Families of the database as a whole, under the account 0.
const (
	famFormat   = 'F' // nothing -> format number
	famLocation = 'L' // location -> account and identity
	famPair     = 'S' // two accounts, the smaller first -> state string
)

const (
	accountLen = 8
	prefixLen  = accountLen + 1
	dotLen     = 8 + 4 + 8
	guidLen    = 16
)

// prefix begins every key: the account and the family.
func prefix(dst []byte, a changelog.ReplicaID, fam byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(a)), fam)
}

// after gives the first key behind all that begin with p.
func after(p []byte) []byte {
	q := append([]byte(nil), p...)
	for i := len(q) - 1; i >= 0; i-- {
		if q[i]++; q[i] != 0 {
			return q[:i+1]
		}
	}
	return nil
}

func appendDot(dst []byte, d changelog.Dot) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(d.Replica.ID))
	dst = binary.BigEndian.AppendUint32(dst, d.Replica.Epoch)
	return binary.BigEndian.AppendUint64(dst, d.Seq)
}

// dotAt reads the dot at the start of b, which must be long enough.
func dotAt(b []byte) changelog.Dot {
	return changelog.Dot{
		Replica: changelog.Replica{ID: changelog.ReplicaID(binary.BigEndian.Uint64(b)), Epoch: binary.BigEndian.Uint32(b[8:])},
		Seq:     binary.BigEndian.Uint64(b[12:]),
	}
}

func recordKey(dst []byte, a changelog.ReplicaID, id changelog.Dot) []byte {
	return appendDot(prefix(dst, a, famRecord), id)
}

func nameKey(dst []byte, a changelog.ReplicaID, mailbox store.MailboxGUID, hash uint64, id changelog.Dot) []byte {
	dst = append(prefix(dst, a, famNames), mailbox[:]...)
	return appendDot(binary.BigEndian.AppendUint64(dst, hash), id)
}

func guidPrefix(dst []byte, a changelog.ReplicaID, g store.GUID) []byte {
	return append(append(prefix(dst, a, famGUID), g...), 0)
}

func guidKey(dst []byte, a changelog.ReplicaID, g store.GUID, id changelog.Dot) []byte {
	return appendDot(guidPrefix(dst, a, g), id)
}

// mentionKey says that the entry e mentions d.
func mentionKey(dst []byte, a changelog.ReplicaID, d changelog.Dot, e EntryRef) []byte {
	dst = append(appendDot(prefix(dst, a, famMentions), d), byte(e.Kind))
	switch e.Kind {
	case refOrigin, RefMessage:
		return appendDot(dst, e.Message)
	case RefNode:
		return append(dst, e.Node[:]...)
	case RefBare:
		return append(dst, e.Bare...)
	}
	panic("logdb: a reference of no kind")
}

// parseMention reads a key of famMentions without its prefix.
func parseMention(b []byte) (d changelog.Dot, e EntryRef, ok bool) {
	if len(b) < dotLen+1 {
		return d, e, false
	}
	d, e.Kind, b = dotAt(b), RefKind(b[dotLen]), b[dotLen+1:]
	switch e.Kind {
	case refOrigin, RefMessage:
		if len(b) != dotLen {
			return d, e, false
		}
		e.Message = dotAt(b)
	case RefNode:
		if len(b) != guidLen {
			return d, e, false
		}
		copy(e.Node[:], b)
	case RefBare:
		e.Bare = store.Name(b)
	default:
		return d, e, false
	}
	return d, e, true
}

func nodeKey(dst []byte, a changelog.ReplicaID, fam byte, g store.MailboxGUID) []byte {
	return append(prefix(dst, a, fam), g[:]...)
}

func seqKey(dst []byte, a changelog.ReplicaID, fam byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix(dst, a, fam), n)
}

func vanishedKey(dst []byte, a changelog.ReplicaID, g store.MailboxGUID, m store.ModSeq, lo store.UID) []byte {
	dst = binary.BigEndian.AppendUint64(nodeKey(dst, a, famVanished, g), uint64(m))
	return binary.BigEndian.AppendUint32(dst, uint32(lo))
}
