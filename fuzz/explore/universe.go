package explore

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"dsync/fuzz/pure"
	"dsync/merge"
	"dsync/store"
)

// Bounds of a universe: beyond these there are more histories than anybody waits for.
const (
	MaxMessages  = 4
	MaxMailboxes = 3
	MaxOps       = 3
)

// flag is one flag of a universe, with the operations that set and clear it.
type flag struct {
	name string      // as fuzz/pure has it
	bit  store.Flags // 0: a keyword
	set  bool        // in the past
}

// flags are taken in this order: one that is set wherever somebody sets it, a keyword,
// one that a clear wins.
var flags = []flag{{"F", store.Flagged, false}, {"kw", 0, true}, {"T", store.Deleted, false}, {"S", store.Seen, false},
	{"D", store.Draft, false}, {"A", store.Answered, false}}

func (f flag) op(set bool) string {
	verb := "f"
	if f.bit == 0 {
		verb = "k"
	}
	if set {
		return verb + "+" + f.name
	}
	return verb + "-" + f.name
}

// Names of a universe. What is delivered and what attributes are set to has two
// names each, so that two sides may bring the same or not. The last characters of
// messages are the numbers that the limits -t and -e go by: they part what is
// delivered, and nothing else.
var (
	mailboxes = []string{"X", "Y", "V"}
	messages  = []string{"m2", "n2", "o2", "p2"}
	delivered = []string{"g1", "h4"}
	values    = []string{"v", "w"}
)

const free = "Z" // the name that no mailbox has in the past

// universe is a past, what a side may do after it, and what in it is alike.
type universe struct {
	o     Options
	past  string
	acts  [][]pure.Op // each made by replica 0
	alike []renaming  // without the one that changes nothing
}

func (o *Options) check() error {
	switch {
	case o.Policy == nil:
		return errors.New("no policy")
	case o.Replicas < 2 || o.Replicas > 3:
		return fmt.Errorf("%d replicas: want 2, or 3 to meet in every order", o.Replicas)
	case o.Mailboxes < 1 || o.Mailboxes > MaxMailboxes:
		return fmt.Errorf("%d mailboxes beside INBOX: want 1 to %d", o.Mailboxes, MaxMailboxes)
	case o.Messages < 0 || o.Messages > MaxMessages:
		return fmt.Errorf("%d messages: want 0 to %d", o.Messages, MaxMessages)
	case o.Flags < 0 || o.Flags > len(flags):
		return fmt.Errorf("%d flags: want 0 to %d", o.Flags, len(flags))
	case o.Ops < 1 || o.Ops > MaxOps:
		return fmt.Errorf("%d operations a side: want 1 to %d", o.Ops, MaxOps)
	}
	return nil
}

// at is the mailbox of a message in the past.
func (u *universe) at(message int) string { return mailboxes[message%u.o.Mailboxes] }

func newUniverse(o Options) *universe {
	u := &universe{o: o}
	past := []string{"0:cr " + strings.Join(mailboxes[:o.Mailboxes], ",")}
	for i, m := range messages[:o.Messages] {
		past = append(past, fmt.Sprintf("0:ap %s %s", u.at(i), m))
		for _, f := range flags[:o.Flags] {
			if f.set {
				past = append(past, fmt.Sprintf("0:%s %s#%s", f.op(true), u.at(i), m))
			}
		}
	}
	u.past = strings.Join(past, "; ")
	for i, m := range messages[:o.Messages] {
		u.onMessage(u.at(i), m)
	}
	for _, x := range mailboxes[:o.Mailboxes] {
		u.onMailbox(x)
	}
	u.act("cr " + free)
	u.symmetries()
	return u
}

func (u *universe) act(ops ...string) {
	u.acts = append(u.acts, pure.MustParse("0:"+strings.Join(ops, "; 0:")))
}

// onMessage lists what can be done to a message, wherever it is.
func (u *universe) onMessage(home, m string) {
	here := home + "#" + m
	u.act("ex " + here)
	for _, to := range mailboxes[:u.o.Mailboxes] {
		if to != home {
			u.act("mv " + here + ">" + to)
			u.act("cp " + here + ">" + to)
		}
	}
	var clear, set []string
	for _, f := range flags[:u.o.Flags] {
		u.act(f.op(true) + " " + here)
		u.act(f.op(false) + " " + here)
		clear, set = append(clear, f.op(false)+" "+here), append(set, f.op(true)+" "+here)
	}
	if len(set) > 1 { // replacing all flags
		u.act(clear...)
		u.act(set...)
	}
}

// onMailbox lists what can be done to a mailbox.
func (u *universe) onMailbox(x string) {
	for _, g := range delivered {
		u.act("ap " + x + " " + g)
	}
	u.act("dl " + x)
	u.act("cr " + x)
	u.act("cr " + x + "/C")
	u.act("rn " + x + ">" + free)
	for _, y := range mailboxes[:u.o.Mailboxes] {
		if y != x {
			u.act("rn " + x + ">" + y + "/" + x)
		}
	}
	u.act("su " + x)
	u.act("us " + x)
	for _, v := range values {
		u.act("md " + x + " " + v)
	}
	u.act("uv " + x + " up")
}

// renaming exchanges names that are alike in the past.
type renaming map[string]string

func (r renaming) of(s string) string {
	if t, ok := r[s]; ok {
		return t
	}
	return s
}

func (r renaming) path(p store.Name) store.Name {
	levels := strings.Split(string(p), "/")
	for i := range levels {
		levels[i] = r.of(levels[i])
	}
	return store.Name(strings.Join(levels, "/"))
}

func (r renaming) op(o pure.Op) pure.Op {
	o.Path, o.Path2, o.Msg, o.Arg = r.path(o.Path), r.path(o.Path2), r.of(o.Msg), r.of(o.Arg)
	return o
}

// symmetries finds every renaming of what is alike: mailboxes with as many messages,
// the messages of a mailbox, what is delivered, values, and flags that the policy
// treats alike.
func (u *universe) symmetries() {
	all := []renaming{{}}
	cross := func(more []renaming) {
		var out []renaming
		for _, a := range all {
			for _, b := range more {
				x := renaming{}
				for _, r := range []renaming{a, b} {
					for k, v := range r {
						x[k] = v
					}
				}
				out = append(out, x)
			}
		}
		all = out
	}
	cross(u.places())
	cross(exchanges(delivered, func(a, b int) bool { return true }))
	cross(exchanges(values, func(a, b int) bool { return true }))
	var names []string
	for _, f := range flags[:u.o.Flags] {
		names = append(names, f.name)
	}
	cross(exchanges(names, func(a, b int) bool { return u.flagsAlike(flags[a], flags[b]) }))
	for _, r := range all {
		if !r.idle() {
			u.alike = append(u.alike, r)
		}
	}
}

func (r renaming) idle() bool {
	for k, v := range r {
		if k != v {
			return false
		}
	}
	return true
}

// flagsAlike: the limits on new mail ask for \Flagged, which is like no other.
func (u *universe) flagsAlike(a, b flag) bool {
	pick := func(f flag) merge.Pick { return u.o.Policy.Flag[bits.TrailingZeros8(uint8(f.bit))] }
	return a.bit != 0 && b.bit != 0 && a.bit != store.Flagged && b.bit != store.Flagged && a.set == b.set && pick(a) == pick(b)
}

// exchanges lists the permutations of names that exchange only what is alike.
func exchanges(names []string, alike func(a, b int) bool) (out []renaming) {
	for _, p := range permutations(len(names)) {
		r, ok := renaming{}, true
		for i, j := range p {
			ok = ok && (i == j || alike(i, j))
			r[names[i]] = names[j]
		}
		if ok {
			out = append(out, r)
		}
	}
	return out
}

// places lists the permutations of mailboxes with their messages.
func (u *universe) places() (out []renaming) {
	of := func(x int) (ms []string) {
		for i := x; i < u.o.Messages; i += u.o.Mailboxes {
			ms = append(ms, messages[i])
		}
		return ms
	}
	for _, p := range permutations(u.o.Mailboxes) {
		some := []renaming{{}}
		for x, y := range p {
			from, to := of(x), of(y)
			if len(from) != len(to) {
				some = nil
				break
			}
			var more []renaming
			for _, r := range some {
				for _, q := range permutations(len(from)) {
					n := renaming{mailboxes[x]: mailboxes[y]}
					for k, v := range r {
						n[k] = v
					}
					for i, j := range q {
						n[from[i]] = to[j]
					}
					more = append(more, n)
				}
			}
			some = more
		}
		out = append(out, some...)
	}
	return out
}

// permutations of the numbers below n, the one that changes nothing first.
func permutations(n int) [][]int {
	out := [][]int{{}}
	for i := range n {
		var more [][]int
		for _, p := range out {
			for at := len(p); at >= 0; at-- {
				more = append(more, slices.Insert(slices.Clone(p), at, i))
			}
		}
		out = more
	}
	return out
}
