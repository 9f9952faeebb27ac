package changelog

import (
	"fmt"
	"slices"

	"dsync/changelog/pack"
	"dsync/store"
)

// AppendEvent appends the encoding of one event: that of a list of one.
func AppendEvent(dst []byte, e *Event) []byte {
	return AppendEvents(dst, []Event{*e})
}

// DecodeEvent reads what AppendEvent wrote.
func DecodeEvent(b []byte) (*Event, error) {
	es, err := DecodeEvents(b)
	if err != nil {
		return nil, err
	}
	if len(es) != 1 {
		return nil, &CorruptError{What: "event", Offset: -1, Reason: fmt.Sprintf("%d events, want one", len(es))}
	}
	return &es[0], nil
}

// AppendEvents appends the encoding of events, in the order given: [format,
// replicas, names, events]; an event is [replica, seq, time, count, cause, body],
// a body [kind, fields…]. Replicas and mailbox names are listed once and named by
// their place in the list.
func AppendEvents(dst []byte, es []Event) []byte {
	var w eventWriter
	for i := range es {
		w.collect(&es[i])
	}
	dst = w.appendReps(pack.Uint(pack.Array(dst, 4), EventsFormat))
	dst = pack.Array(dst, len(w.names))
	for _, n := range w.names {
		dst = pack.String(dst, n)
	}
	dst = pack.Array(dst, len(es))
	for i := range es {
		e := &es[i]
		dst = pack.Uint(w.appendRep(pack.Array(dst, 6), e.Dot.Replica), e.Dot.Seq)
		dst = pack.Uint(pack.Int(dst, e.Stamp.Time), e.Stamp.Count)
		dst = w.body(w.appendDot(dst, e.Cause), e.Body)
	}
	return dst
}

type eventWriter struct {
	dict
	names []store.Name
}

func (w *eventWriter) name(n store.Name) {
	if i, ok := slices.BinarySearch(w.names, n); !ok {
		w.names = slices.Insert(w.names, i, n)
	}
}

func (w *eventWriter) collect(e *Event) {
	w.rep(e.Dot.Replica)
	w.dot(e.Cause)
	switch b := e.Body.(type) {
	case Deliver:
		w.name(b.Path)
	case Found:
		w.name(b.Path)
	case Copy:
		w.name(b.Path)
	case Move:
		w.dot(b.Message)
		w.name(b.From)
		w.name(b.To)
	case Restore:
		w.dot(b.Message)
		w.name(b.From)
		w.name(b.To)
	case Expunge:
		w.dot(b.Message)
		w.name(b.Path)
	case SetFlags:
		w.dot(b.Message)
		w.name(b.Path)
	case SetKeywords:
		w.dot(b.Message)
		w.name(b.Path)
	case CreateMailbox:
		w.name(b.Path)
	case RenameMailbox:
		w.name(b.From)
		w.name(b.To)
	case DeleteMailbox:
		w.name(b.Path)
	case Subscribe:
		w.name(b.Path)
	case SetAttribute:
		w.name(b.Path)
	case RaiseUIDNext:
		w.name(b.Path)
	case ResetUIDs:
		w.name(b.Path)
	default:
		panic(fmt.Sprintf("changelog: an event of type %T", e.Body))
	}
}

func (w *eventWriter) appendName(dst []byte, n store.Name) []byte {
	i, _ := slices.BinarySearch(w.names, n)
	return pack.Uint(dst, i)
}

// head starts a body of n fields after its kind.
func head(dst []byte, b Body, n int) []byte { return pack.Uint(pack.Array(dst, n+1), b.Kind()) }

func (w *eventWriter) delivery(dst []byte, b Body, d Deliver) []byte {
	dst = w.appendName(appendMailbox(head(dst, b, 5), d.Mailbox), d.Path)
	return pack.Uint(pack.String(pack.Uint(dst, d.UID), d.GUID), d.Flags)
}

func (w *eventWriter) move(dst []byte, b Body, m Move) []byte {
	dst = w.appendName(w.appendName(w.appendDot(head(dst, b, 5), m.Message), m.From), m.To)
	return pack.String(pack.Uint(dst, m.UID), m.GUID)
}

func (w *eventWriter) body(dst []byte, body Body) []byte {
	switch b := body.(type) {
	case Deliver:
		return w.delivery(dst, b, b)
	case Found:
		return w.delivery(dst, b, Deliver(b))
	case Copy:
		return w.delivery(dst, b, Deliver(b))
	case Move:
		return w.move(dst, b, b)
	case Restore:
		return w.move(dst, b, Move(b))
	case Expunge:
		dst = w.appendName(w.appendDot(head(dst, b, 4), b.Message), b.Path)
		return pack.String(pack.Uint(dst, b.UID), b.GUID)
	case SetFlags:
		dst = w.appendName(w.appendDot(head(dst, b, 5), b.Message), b.Path)
		return pack.Uint(pack.Uint(pack.Uint(dst, b.UID), b.Set), b.Clear)
	case SetKeywords:
		dst = w.appendName(w.appendDot(head(dst, b, 5), b.Message), b.Path)
		return appendStrings(appendStrings(pack.Uint(dst, b.UID), b.Set), b.Clear)
	case CreateMailbox:
		dst = w.appendName(appendMailbox(head(dst, b, 4), b.Mailbox), b.Path)
		return pack.Bool(pack.Bool(dst, b.NoSelect), b.Found)
	case RenameMailbox:
		return w.appendName(w.appendName(appendMailbox(head(dst, b, 3), b.Mailbox), b.From), b.To)
	case DeleteMailbox:
		return pack.Uint(w.appendName(appendMailbox(head(dst, b, 3), b.Mailbox), b.Path), b.Messages)
	case Subscribe:
		return pack.Bool(w.appendName(head(dst, b, 2), b.Path), b.On)
	case SetAttribute:
		return pack.String(pack.String(w.appendName(head(dst, b, 3), b.Path), b.Key), b.Value)
	case RaiseUIDNext:
		return pack.Uint(w.appendName(head(dst, b, 2), b.Path), b.UIDNext)
	case ResetUIDs:
		return pack.Uint(w.appendName(head(dst, b, 2), b.Path), b.UIDValidity)
	}
	panic(fmt.Sprintf("changelog: an event of type %T", body))
}

func appendStrings(dst []byte, ss []string) []byte {
	dst = pack.Array(dst, len(ss))
	for _, s := range ss {
		dst = pack.String(dst, s)
	}
	return dst
}

// DecodeEvents reads what AppendEvents wrote.
func DecodeEvents(b []byte) ([]Event, error) {
	var mem room
	r := eventReader{reader: mem.reader(b, "events")}
	r.Fields(4)
	r.Version(EventsFormat)
	r.readReps()
	n := r.Array(MaxEvents, 1)
	for range n {
		s := store.Name(r.String(MaxPath))
		if k := len(r.names); r.OK() && k > 0 && r.names[k-1] >= s {
			r.Fail("names out of order")
		}
		if !r.OK() {
			break
		}
		r.names = append(r.names, s)
	}
	r.nameUsed = make([]bool, len(r.names))
	n = r.Array(MaxEvents, 10)
	es := make([]Event, 0, n)
	for range n {
		es = append(es, r.event())
		if !r.OK() {
			break
		}
	}
	if slices.Contains(r.nameUsed, false) {
		r.Fail("a name that nothing refers to")
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return es, nil
}

type eventReader struct {
	reader
	names    []store.Name
	nameUsed []bool
}

func (r *eventReader) nameAt() store.Name {
	i := r.Uint64()
	if r.OK() && i >= uint64(len(r.names)) {
		r.Fail("no name number %d", i)
	}
	if !r.OK() {
		return ""
	}
	r.nameUsed[i] = true
	return r.names[i]
}

func (r *eventReader) event() Event {
	r.Fields(6)
	e := Event{Dot: Dot{r.rep(), r.Uint(MaxSeq)}, Stamp: Stamp{r.Int(), r.Uint32()}, Cause: r.dot()}
	if r.OK() && e.Dot.Seq == 0 {
		r.Fail("dot with sequence number 0")
	}
	e.Body = r.body()
	return e
}

// bodyFields is the number of fields of each body after its kind.
var bodyFields = [...]int{
	KindDeliver: 5, KindFound: 5, KindCopy: 5, KindMove: 5, KindRestore: 5, KindExpunge: 4,
	KindSetFlags: 5, KindSetKeywords: 5, KindCreateMailbox: 4, KindRenameMailbox: 3,
	KindDeleteMailbox: 3, KindSubscribe: 2, KindSetAttribute: 3, KindRaiseUIDNext: 2, KindResetUIDs: 2,
}

func (r *eventReader) body() Body {
	n := r.Array(8, 1)
	k := Kind(r.Uint(255))
	if r.OK() && (k == 0 || int(k) >= len(bodyFields) || n != bodyFields[k]+1) {
		r.Fail("an event of kind %d with %d fields", k, n-1)
	}
	if !r.OK() {
		return nil
	}
	switch k {
	case KindDeliver:
		return r.delivery()
	case KindFound:
		return Found(r.delivery())
	case KindCopy:
		return Copy(r.delivery())
	case KindMove:
		return r.move()
	case KindRestore:
		return Restore(r.move())
	case KindExpunge:
		return Expunge{r.dot(), r.nameAt(), r.uid(), r.guid(true)}
	case KindSetFlags:
		b := SetFlags{r.dot(), r.nameAt(), r.uid(), r.flags(), r.flags()}
		if b.Set&b.Clear != 0 {
			r.Fail("a flag both set and cleared")
		}
		return b
	case KindSetKeywords:
		return SetKeywords{r.dot(), r.nameAt(), r.uid(), r.keywords(), r.keywords()}
	case KindCreateMailbox:
		return CreateMailbox{r.mailbox(), r.nameAt(), r.Bool(), r.Bool()}
	case KindRenameMailbox:
		return RenameMailbox{r.mailbox(), r.nameAt(), r.nameAt()}
	case KindDeleteMailbox:
		return DeleteMailbox{r.mailbox(), r.nameAt(), r.Uint32()}
	case KindSubscribe:
		return Subscribe{r.nameAt(), r.Bool()}
	case KindSetAttribute:
		return SetAttribute{r.nameAt(), r.String(MaxAttrKey), r.String(MaxAttrValue)}
	case KindRaiseUIDNext:
		return RaiseUIDNext{r.nameAt(), r.uid()}
	case KindResetUIDs:
		return ResetUIDs{r.nameAt(), store.UIDValidity(r.Uint32())}
	}
	r.Fail("an event of unknown kind %d", k)
	return nil
}

func (r *eventReader) uid() store.UID { return store.UID(r.Uint32()) }

func (r *eventReader) delivery() Deliver {
	return Deliver{r.mailbox(), r.nameAt(), r.uid(), r.guid(true), r.flags()}
}

func (r *eventReader) move() Move {
	return Move{r.dot(), r.nameAt(), r.nameAt(), r.uid(), r.guid(true)}
}

func (r *eventReader) keywords() []string {
	n := r.Array(store.MaxKeywords, 1)
	var out []string
	for range n {
		out = append(out, r.keyword())
	}
	return out
}
