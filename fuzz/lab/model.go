package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dsync/fuzz/scenario"
	"dsync/store"
)

// register is a set of writes that count, by number, with the value of each.
type register map[int]string

// values lists the different values of a register.
func (r register) values() []string {
	var out []string
	for _, v := range r {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// thing is a message, a mailbox or a subscription: registers by name. The register
// "place" of a message or mailbox that was removed is empty.
type thing map[string]register

// knowledge is what a replica has seen and holds.
type knowledge struct {
	seen   map[int]bool
	things map[string]thing
}

func newKnowledge() *knowledge {
	return &knowledge{seen: map[int]bool{}, things: map[string]thing{}}
}

func (k *knowledge) clone() *knowledge {
	c := &knowledge{seen: maps.Clone(k.seen), things: map[string]thing{}}
	for id, t := range k.things {
		x := thing{}
		for name, r := range t {
			x[name] = maps.Clone(r)
		}
		c.things[id] = x
	}
	return c
}

// join is the merge of two registers, given what each side has seen.
func join(a, b register, seenA, seenB map[int]bool) register {
	out := register{}
	for w, v := range a {
		if _, both := b[w]; both || !seenB[w] {
			out[w] = v
		}
	}
	for w, v := range b {
		if _, both := a[w]; both || !seenA[w] {
			out[w] = v
		}
	}
	return out
}

func (k *knowledge) merge(o *knowledge) *knowledge {
	out := newKnowledge()
	maps.Copy(out.seen, k.seen)
	maps.Copy(out.seen, o.seen)
	for _, id := range keys(k.things, o.things) {
		a, b, t := k.things[id], o.things[id], thing{}
		for _, name := range keys(a, b) {
			t[name] = join(a[name], b[name], k.seen, o.seen)
		}
		out.things[id] = t
	}
	return out
}

// keys lists the keys of two maps, sorted.
func keys[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// fresh lists the writes of r that the other side has not seen.
func (r register) fresh(seen map[int]bool) register {
	out := register{}
	for w, v := range r {
		if !seen[w] {
			out[w] = v
		}
	}
	return out
}

// shown is what a replica shows: the value of each register of each thing.
type shown map[string]map[string]string

const (
	isMessage      = "message "
	isMailbox      = "mailbox "
	isSubscription = "subscription "
	place          = "place"
	attribute      = "attribute"
	number         = "number" // no register: UIDVALIDITY and UID, which tell that a message went and came back
)

// look reads a listing. Messages that share a name are not things; count has how
// often each name is there.
func look(l *scenario.Listing) (out shown, count map[string]int) {
	out, count = shown{}, map[string]int{}
	for _, b := range l.Mailboxes {
		for _, m := range b.Messages {
			count[m.Name]++
		}
	}
	for _, b := range l.Mailboxes {
		if b.NoSelect {
			continue
		}
		if b.GUID != "" {
			regs := map[string]string{place: string(b.Name)}
			if b.Attribute != "" {
				regs[attribute] = b.Attribute
			}
			out[isMailbox+b.GUID] = regs
		}
		for _, m := range b.Messages {
			if count[m.Name] > 1 {
				continue
			}
			regs := map[string]string{place: home(b), number: fmt.Sprintf("%d %d", b.UIDValidity, m.UID)}
			for _, f := range m.Flags {
				regs[flagName(f)] = "set"
			}
			out[isMessage+m.Name] = regs
		}
	}
	for _, n := range l.Subscribed {
		out[isSubscription+string(n)] = map[string]string{place: "set"}
	}
	return out, count
}

// cutMessage gives the name of the message that a thing is.
func cutMessage(id string) (name string, ok bool) { return strings.CutPrefix(id, isMessage) }

// home names a mailbox as the place of messages: by its GUID, if it has one yet.
func home(b scenario.Mailbox) string {
	if b.GUID == "" {
		return "at " + string(b.Name)
	}
	return b.GUID
}

// flagName is the register of a flag or keyword.
func flagName(f string) string {
	if strings.HasPrefix(f, `\`) {
		return "flag " + f
	}
	return "keyword " + store.FoldKeyword(f)
}

func isFlag(register string) bool {
	return strings.HasPrefix(register, "flag ") || strings.HasPrefix(register, "keyword ")
}

// cameBack reports whether a message has another UID under the same UIDVALIDITY: it
// left its mailbox and came back.
func cameBack(was, now map[string]string) bool {
	v1, u1, _ := strings.Cut(was[number], " ")
	v2, u2, ok := strings.Cut(now[number], " ")
	return ok && v1 == v2 && u1 != u2 && u1 != "0" && u2 != "0"
}
