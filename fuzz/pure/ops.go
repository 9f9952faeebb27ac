package pure

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dsync/changelog"
	"dsync/merge"
	"dsync/store"
)

// Verb is what an operation does.
type Verb string

// The verbs. The first group are clients' operations at one replica, the second
// are runs between two.
const (
	Append      Verb = "ap" // content Arg into Path
	Copy        Verb = "cp" // N-th message of Path to Path2
	Move        Verb = "mv" // N-th message of Path to Path2
	Expunge     Verb = "ex" // N-th message of Path
	Flag        Verb = "f+" // Arg = flag letter
	Unflag      Verb = "f-"
	Keyword     Verb = "k+"
	Unkeyword   Verb = "k-"
	CreateBox   Verb = "cr"
	RenameBox   Verb = "rn"
	DeleteBox   Verb = "dl"
	Subscribe   Verb = "su"
	Unsubscribe Verb = "us"
	SetAttr     Verb = "md"
	ResetUIDs   Verb = "uv"
	RaiseNext   Verb = "un"
	Tick        Verb = "tick" // a second passes

	LostLog Verb = "lost"    // the log is lost: a new replica, all it holds Found
	Clone   Verb = "clone"   // R becomes a copy of Peer's mail, without its log
	Save    Verb = "save"    // a snapshot of mail and log together
	Restore Verb = "restore" // back to the last Save
	Skew    Verb = "skew"    // R's clock is Arg seconds ahead from now on
	Trim    Verb = "trim"    // R drops what every replica of the world has seen

	SyncWhole Verb = "sync"   // R with Peer
	SyncBox   Verb = "syncm"  // -m Path
	SyncSince Verb = "synct"  // only contents with an even number cross (-t)
	OneWay    Verb = "oneway" // R is the source
	Backup    Verb = "backup" // R is the source
	Half      Verb = "half"   // whole, but R plays nothing
	Partly    Verb = "partly" // whole, but items fail by a hash of Arg
)

// Op is one operation of a history.
type Op struct {
	Verb  Verb
	R     int
	Peer  int
	Path  store.Name
	Path2 store.Name
	N     int
	Msg   string // of content Msg, instead of the N-th
	Arg   string
}

// isRun reports whether the operation is a run between two replicas.
func (o Op) isRun() bool {
	switch o.Verb {
	case SyncWhole, SyncBox, SyncSince, OneWay, Backup, Half, Partly, Limited:
		return true
	}
	return false
}

// message names the message of an operation.
func (o Op) message() string {
	if o.Msg != "" {
		return fmt.Sprintf("%s#%s", o.Path, o.Msg)
	}
	return fmt.Sprintf("%s#%d", o.Path, o.N)
}

func (o Op) String() string {
	switch o.Verb {
	case Tick:
		return "tick"
	case SyncWhole:
		return fmt.Sprintf("%d=%d", o.R, o.Peer)
	case SyncBox, SyncSince, OneWay, Backup, Half, Partly, Limited:
		return strings.TrimSpace(fmt.Sprintf("%d=%d %s %s%s", o.R, o.Peer, o.Verb, o.Path, o.Arg))
	case Copy, Move:
		return fmt.Sprintf("%d:%s %s>%s", o.R, o.Verb, o.message(), o.Path2)
	case RenameBox:
		return fmt.Sprintf("%d:rn %s>%s", o.R, o.Path, o.Path2)
	case Expunge:
		return fmt.Sprintf("%d:ex %s", o.R, o.message())
	case Flag, Unflag, Keyword, Unkeyword:
		return fmt.Sprintf("%d:%s%s %s", o.R, o.Verb, o.Arg, o.message())
	case Append, SetAttr, ResetUIDs:
		return fmt.Sprintf("%d:%s %s %s", o.R, o.Verb, o.Path, o.Arg)
	case LostLog, Save, Restore, Again, Trim:
		return fmt.Sprintf("%d:%s", o.R, o.Verb)
	case Clone, Twin:
		return fmt.Sprintf("%d:%s %d", o.R, o.Verb, o.Peer)
	case Skew:
		return fmt.Sprintf("%d:%s %s", o.R, o.Verb, o.Arg)
	default:
		return fmt.Sprintf("%d:%s %s", o.R, o.Verb, o.Path)
	}
}

// History prints operations so that Parse reads them back.
func History(ops []Op) string {
	var s []string
	for _, o := range ops {
		s = append(s, o.String())
	}
	return strings.Join(s, "; ")
}

var flagLetters = map[string]store.Flags{"A": store.Answered, "T": store.Deleted, "D": store.Draft, "F": store.Flagged, "S": store.Seen}

// Do makes a client's operation at the replica.
func (r *Replica) Do(o Op) {
	r.own()
	defer r.changed()
	e := r.edit()
	l := r.Layout()
	slot := l.ByPath[o.Path]
	if slot != nil && slot.Holder == nil {
		slot = nil
	}
	switch o.Verb {
	case Append:
		if slot != nil {
			r.appendTo(slot, o.Arg, nil)
		}
	case Copy, Move, Expunge, Flag, Unflag, Keyword, Unkeyword:
		if slot != nil {
			r.doMessage(o, l, slot)
		}
	case CreateBox:
		if o.Path != store.Inbox {
			e.Create(o.Path, r.NewGUID(), r.mint, false, false)
		}
	case RenameBox:
		if o.Path == store.Inbox {
			r.renameInbox(e, o.Path2)
		} else {
			e.Rename(o.Path, o.Path2, r.mint)
		}
	case DeleteBox:
		r.deleteBox(e, o.Path)
	case Subscribe, Unsubscribe:
		e.Subscribe(o.Path, o.Verb == Subscribe, r.mint)
	case SetAttr:
		if slot != nil {
			slot.Holder.SetAttr(r.mint(), "/shared/comment", o.Arg)
		}
	case ResetUIDs:
		if slot != nil {
			r.resetUIDs(slot, o.Arg == "down")
		}
	case Skew:
		n, _ := strconv.ParseInt(o.Arg, 10, 64)
		r.skew = n * 1e6
	case RaiseNext:
		if slot != nil {
			slot.Holder.UIDNext++
		}
	}
	r.changed()
	r.noteHolds()
}

// contentOf gives the content of a name; "g0/2" has the GUID of "g0" but other
// bytes.
func contentOf(name string) store.Content {
	guid, other, ok := strings.Cut(name, "/")
	c := store.Content{GUID: store.GUID(guid), Size: 100, Hash: store.HeaderHash{1}}
	if ok {
		copy(c.Hash[:], other)
	}
	return c
}

func (r *Replica) appendTo(slot *changelog.Slot, content string, from *changelog.Message) *changelog.Message {
	w := r.mint()
	n := slot.Holder
	c := contentOf(content)
	var m *changelog.Message
	if from != nil {
		m = changelog.NewMessage(w, n.GUID(), from.Content, from.Received, merge.Safe.Flags(from), merge.Safe.Keywords(from))
	} else {
		m = changelog.NewMessage(w, n.GUID(), c, 1000+int64(len(content)), 0, nil)
	}
	n.Deliver(w)
	m.UID = n.UIDNext
	n.UIDNext++
	r.Messages[m.ID()] = m
	return m
}

func (r *Replica) doMessage(o Op, l *changelog.Layout, slot *changelog.Slot) {
	ms := r.In(slot)
	if len(ms) == 0 {
		return
	}
	m := ms[o.N%len(ms)]
	if o.Msg != "" {
		i := slices.IndexFunc(ms, func(m *changelog.Message) bool { return string(m.Content.GUID) == o.Msg })
		if i < 0 {
			return
		}
		m = ms[i]
	}
	to := l.ByPath[o.Path2]
	switch o.Verb {
	case Copy:
		if to != nil && to.Holder != nil {
			r.appendTo(to, "", m)
		}
	case Move:
		if to != nil && to.Holder != nil && to != slot {
			w := r.mint()
			m.Move(w, to.Holder.GUID())
			to.Holder.Deliver(w)
			m.UID = to.Holder.UIDNext
			to.Holder.UIDNext++
		}
	case Expunge:
		m.Expunge(r.mint().Dot, changelog.Was{Mailbox: slot.Holder.GUID(), UIDValidity: slot.Holder.UIDValidity, UID: m.UID})
	case Flag, Unflag:
		f := flagLetters[o.Arg]
		on := o.Verb == Flag
		if (merge.Safe.Flags(m)&f != 0) != on {
			m.SetFlag(r.mint(), f, on, r.shared())
		}
	case Keyword, Unkeyword:
		on := o.Verb == Keyword
		has := false
		for _, k := range merge.Safe.Keywords(m) {
			has = has || store.FoldKeyword(k) == store.FoldKeyword(o.Arg)
		}
		if has != on {
			m.SetKeyword(r.mint(), o.Arg, on, r.shared())
		}
	}
}

func (r *Replica) deleteBox(e *changelog.Edit, path store.Name) {
	s := r.Layout().ByPath[path]
	if s == nil || s.Holder == nil || path == store.Inbox {
		return
	}
	ms := r.In(s)
	holder := s.Holder
	w, _, err := e.Delete(path, r.mint)
	if err != nil {
		return
	}
	for _, m := range ms {
		m.Expunge(w.Dot, changelog.Was{Mailbox: holder.GUID(), UIDValidity: holder.UIDValidity, UID: m.UID})
	}
}

func (r *Replica) resetUIDs(s *changelog.Slot, down bool) {
	uv := s.Holder.UIDValidity + 7
	if down && s.Holder.UIDValidity > 7 {
		uv = s.Holder.UIDValidity - 7
	}
	for _, h := range r.Tree.UVs[s.Path] {
		if h.UIDValidity == uv {
			return
		}
	}
	s.Holder.UIDValidity, s.Holder.UIDNext = uv, 1
	for _, m := range r.In(s) {
		m.UID = s.Holder.UIDNext
		s.Holder.UIDNext++
	}
}
