package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"dsync/changelog"
	"dsync/cmd/internal/remote"
)

// Lies are well formed: any field of any frame, order or account has another value,
// which nobody's store has, or that is out of all bounds.

// lyingTexts are names, keys, keywords and texts that nobody should take.
var lyingTexts = []string{
	"", ".", "..", "../x", "../../etc/x", "a/../../x", "/x", "/", "a//b", "x/", ".hidden", "a\x00b", "\x00", "a\nb", "\x1b[2J", "\xff\xfe", strings.Repeat("n", 300),
	strings.Repeat("d/", 200) + "x", "cur", "new", "tmp", "dovecot-uidlist", "dsync.lock", "dsync-mark", "subscriptions", "INBOX", "inbox", "INBOX/x", "\\Seen", "\\Recent",
	"a b", "$(touch x)", "%u", strings.Repeat("k", 100<<10), "1700000001.M1.h", "1700000001.M1.h:2,S", "../cur/1700000900.M9.h",
}

// liesIn changes one leaf below a value, picked at random: fields that are exported.
func liesIn(rng *rand.Rand, v reflect.Value) (what string) {
	type leaf struct {
		v    reflect.Value
		path string
	}
	var all []leaf
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem(), path)
			}
		case reflect.Struct:
			if v.CanAddr() && v.Type() == reflect.TypeFor[changelog.Dots]() {
				all = append(all, leaf{v, path})
				return
			}
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					walk(v.Field(i), path+"."+f.Name)
				}
			}
		case reflect.Slice:
			all = append(all, leaf{v, path})
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
			}
		case reflect.Map, reflect.Func, reflect.Chan:
		default:
			if v.CanSet() {
				all = append(all, leaf{v, path})
			}
		}
	}
	walk(v, "")
	if len(all) == 0 {
		return ""
	}
	x := all[rng.IntN(len(all))]
	lieAbout(rng, x.v)
	text := fmt.Sprintf("%#v", x.v.Interface())
	return fmt.Sprintf("%s = %.80s", x.path, text)
}

// lieAbout gives a leaf another value.
func lieAbout(rng *rand.Rand, v reflect.Value) {
	edges := []uint64{0, 1, 2, math.MaxInt32, math.MaxUint32, math.MaxUint32 - 1, math.MaxInt64, math.MaxUint64, rng.Uint64(), uint64(rng.IntN(100))}
	n := edges[rng.IntN(len(edges))]
	switch {
	case v.Type() == reflect.TypeFor[changelog.Dots]():
		d := v.Addr().Interface().(*changelog.Dots)
		if rng.IntN(4) == 0 {
			*d = changelog.Dots{}
			return
		}
		for _, per := range append(d.Replicas(), changelog.ReplicaDots{Replica: changelog.Replica{ID: 7, Epoch: 1}}) {
			if rng.IntN(2) == 0 {
				d.AddRange(per.Replica, changelog.Range{Lo: 1, Hi: max(n, 1)})
			}
		}
	case v.Kind() == reflect.String:
		v.SetString(lyingTexts[rng.IntN(len(lyingTexts))])
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanUint():
		v.SetUint(n & (1<<v.Type().Bits() - 1))
	case v.CanInt():
		v.SetInt(int64(n) << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case v.Kind() == reflect.Array && v.Len() > 0 && v.Index(0).CanUint():
		v.Index(rng.IntN(v.Len())).SetUint(uint64(rng.IntN(256)))
	case v.Kind() == reflect.Slice && v.Len() > 0:
		i := rng.IntN(v.Len())
		switch rng.IntN(3) {
		case 0:
			v.Set(reflect.AppendSlice(v.Slice(0, i), v.Slice(i+1, v.Len())))
		case 1:
			v.Set(reflect.Append(v, v.Index(i)))
		default:
			v.Set(reflect.Zero(v.Type()))
		}
	}
}

// lied gives a packet with one lie, "" if there is nothing to lie about. What our own
// encoder refuses to say is not said.
func lied(rng *rand.Rand, s said) (out said, what string) {
	defer func() {
		if recover() != nil {
			out, what = s, ""
		}
	}()
	var v any
	switch remote.Kind(s.kind) {
	case remote.KindFrame:
		f := s.frame()
		if f == nil {
			return s, ""
		}
		what = fmt.Sprintf("frame %d", f.Kind) + liesIn(rng, reflect.ValueOf(f).Elem())
		return s.with(f.Encode()), what
	case remote.KindOrder:
		v = &order{}
	case remote.KindAccount:
		v = &account{}
	default:
		return s, ""
	}
	if json.Unmarshal(s.data[1:], v) != nil {
		return s, ""
	}
	what = fmt.Sprintf("%T", v) + liesIn(rng, reflect.ValueOf(v).Elem())
	b, err := json.Marshal(v)
	if err != nil {
		return s, ""
	}
	return s.with(b), what
}

// R5: lies, one or several in a run. A known peer may have mail deleted, for that is
// what syncing is; but nothing is written beside the stores, no text of a message
// becomes another, the logs stay sound, and honest runs come to an end.
func TestHostileLies(t *testing.T) {
	t.Parallel()
	seed := hostileSeed(t)
	told := 0
	for i := range uint64(histories(40)) {
		rng := rand.New(rand.NewPCG(seed+i, 2))
		p := hostilePair(t)
		var lies []string
		chance := 1 + rng.IntN(6)
		l := &liar{rng: rng, victim: rng.IntN(2)}
		l.say = func(s said) []said {
			if rng.IntN(chance) > 0 {
				return []said{s}
			}
			out, what := lied(rng, s)
			if what != "" {
				lies = append(lies, what)
			}
			return []said{out}
		}
		before, beside := [2][]string{p.content("A"), p.content("B")}, p.outside()
		rep, far := hostileRun(p, l, 5*time.Second)
		what := fmt.Sprintf("seed %d, end %d hears %q", seed+i, l.victim, lies)
		if strings.Contains(fmt.Sprint(rep.Err, far), "change log is damaged") {
			t.Errorf("%s: near %d %v, far %v", what, rep.Exit, rep.Err, far)
		}
		told += len(lies)
		p.judge(what, before, beside, true)
		if t.Failed() {
			t.Logf("%s: near %d %v; far %v", what, rep.Exit, rep.Err, far)
			return
		}
	}
	t.Logf("%d lies", told)
}
