package lab

// Metrics is what one scenario cost and lost, counted by looking; since the common
// past.
type Metrics struct {
	// Updates of clients that a run undid although nobody had made a concurrent
	// one, by kind.
	LostFlags         int `json:"lost_flags"`
	LostKeywords      int `json:"lost_keywords"`
	LostMoves         int `json:"lost_moves"`
	LostMailboxes     int `json:"lost_mailboxes"`
	LostRenames       int `json:"lost_renames"`
	LostSubscriptions int `json:"lost_subscriptions"`
	LostAttributes    int `json:"lost_attributes"`

	LostMessages  int `json:"lost_messages"`
	Resurrections int `json:"resurrections"`
	Duplicates    int `json:"duplicates"`
	Renumbered    int `json:"uid_renumberings"`
	UIDValidity   int `json:"uidvalidity_changes"`
	Rounds        int `json:"rounds_beyond_bound"`
	NeverEqual    int `json:"never_equal"` // 1 if converge gave up

	Runs       int   `json:"runs"`
	Operations int   `json:"plan_operations"` // changes that runs made, on both sides
	Bodies     int   `json:"bodies_moved"`    // messages that came to a side where their content was not
	BodyBytes  int64 `json:"body_bytes"`      // of these
	Bytes      int64 `json:"bytes_moved"`     // as the engine counts; -1: it does not

	ConflictsHappened int `json:"conflicts_happened"`
	ConflictsReported int `json:"conflicts_reported"` // -1: the engine reports none
}

// Column is one metric with its name.
type Column struct {
	Name  string
	Value int64
}

// Columns lists all metrics, in the order of tables.
func (m *Metrics) Columns() []Column {
	n := func(name string, v int) Column { return Column{name, int64(v)} }
	return []Column{
		n("lost messages", m.LostMessages), n("lost flags", m.LostFlags), n("lost keywords", m.LostKeywords), n("lost moves", m.LostMoves),
		n("lost mailboxes", m.LostMailboxes), n("lost renames", m.LostRenames), n("lost subscriptions", m.LostSubscriptions), n("lost attributes", m.LostAttributes),
		n("resurrections", m.Resurrections), n("duplicates", m.Duplicates), n("UID renumberings", m.Renumbered), n("UIDVALIDITY changes", m.UIDValidity),
		n("rounds beyond the bound", m.Rounds), n("never equal", m.NeverEqual), n("runs", m.Runs), n("plan operations", m.Operations),
		n("bodies moved", m.Bodies), {"body bytes", m.BodyBytes}, {"bytes moved", m.Bytes},
		n("conflicts happened", m.ConflictsHappened), n("conflicts reported", m.ConflictsReported),
	}
}

// Add sums up two scenarios' metrics. What one of them does not count, the sum
// does not count.
func (m *Metrics) Add(o *Metrics) {
	sum := func(a *int, b int) {
		if *a < 0 || b < 0 {
			*a = -1
			return
		}
		*a += b
	}
	for _, f := range []struct {
		a *int
		b int
	}{
		{&m.LostFlags, o.LostFlags}, {&m.LostKeywords, o.LostKeywords}, {&m.LostMoves, o.LostMoves}, {&m.LostMailboxes, o.LostMailboxes},
		{&m.LostRenames, o.LostRenames}, {&m.LostSubscriptions, o.LostSubscriptions}, {&m.LostAttributes, o.LostAttributes},
		{&m.LostMessages, o.LostMessages}, {&m.Resurrections, o.Resurrections}, {&m.Duplicates, o.Duplicates}, {&m.Renumbered, o.Renumbered},
		{&m.UIDValidity, o.UIDValidity}, {&m.Rounds, o.Rounds}, {&m.NeverEqual, o.NeverEqual}, {&m.Runs, o.Runs}, {&m.Operations, o.Operations},
		{&m.Bodies, o.Bodies}, {&m.ConflictsHappened, o.ConflictsHappened}, {&m.ConflictsReported, o.ConflictsReported},
	} {
		sum(f.a, f.b)
	}
	m.BodyBytes += o.BodyBytes
	if m.Bytes < 0 || o.Bytes < 0 {
		m.Bytes = -1
	} else {
		m.Bytes += o.Bytes
	}
}
