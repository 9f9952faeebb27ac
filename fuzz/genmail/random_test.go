package genmail

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"slices"
	"testing"

	"dsync/fuzz/require"
)

// Recorded with Python 3.11.
func TestRecordedWords(t *testing.T) {
	for seed, want := range map[int64][]uint64{
		0:             {3626764237, 1654615998, 3255389356},
		1:             {577090037, 2444712010, 3639700191},
		12345:         {1789368711, 3146859322, 43676229},
		1 << 32:       {485306839, 1508871100, 1794561286},
		math.MaxInt64: {1359979423, 2819855560, 2711238091},
		-5:            {2675342405, 1097127993, 3185950873},
	} {
		r := NewRandom(seed)
		if got := []uint64{r.Bits(32), r.Bits(32), r.Bits(32)}; !slices.Equal(got, want) {
			t.Errorf("seed %d: %d, want %d", seed, got, want)
		}
	}
}

// Recorded with Python 3.11: one generator, every method in turn.
func TestRecordedMethods(t *testing.T) {
	r := NewRandom(1)
	for range 4 {
		r.Bits(32)
	}
	got := []any{r.Float(), r.Bits(64), r.Bits(48), r.Bits(5), r.Below(10), r.Below(1 << 20),
		r.LogNormal(8, 0.7), r.Normal(0, 1), "abc"[r.Below(3)]}
	want := []any{0.763774618976614, uint64(2175216119781798972), uint64(214192146929019), uint64(14), 7, 796110,
		4370.500470698408, -0.485192672346083, byte('a')}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// script draws with Python what draws draws here.
const script = `
import json, random, sys
r = random.Random(int(sys.argv[1]))
out = []
for method, a, b in json.load(sys.stdin):
    if method == "bits": out.append(str(r.getrandbits(a)))
    elif method == "float": out.append(r.random().hex())
    elif method == "below": out.append(str(r.randrange(0, a)))
    elif method == "choice": out.append(str(r.choice(range(a))))
    elif method == "log": out.append(repr(int(r.lognormvariate(a, 0.7))))
    else: out.append(str(r.sample(range(a), b)))
json.dump(out, sys.stdout)
`

type draw struct {
	method string
	a, b   int
}

// MarshalJSON writes the draw as a list, as the script wants it.
func (d draw) MarshalJSON() ([]byte, error) { return json.Marshal([]any{d.method, d.a, d.b}) }

func (d draw) here(r *Random) string {
	switch d.method {
	case "bits":
		return fmt.Sprint(r.Bits(d.a))
	case "float":
		return pythonHex(r.Float())
	case "below", "choice":
		return fmt.Sprint(r.Below(d.a))
	case "log":
		return fmt.Sprint(int(r.LogNormal(float64(d.a), 0.7)))
	}
	return pythonList(r.Sample(d.a, d.b))
}

// pythonHex is float.hex().
func pythonHex(x float64) string {
	if x == 0 {
		return "0x0.0p+0"
	}
	fraction, exponent := math.Frexp(x)
	mantissa := uint64(math.Ldexp(fraction, 53))
	return fmt.Sprintf("0x1.%013xp%+d", mantissa&(1<<52-1), exponent-1)
}

func pythonList(list []int) string {
	out := "["
	for i, v := range list {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprint(v)
	}
	return out + "]"
}

func python(t testing.TB) string {
	t.Helper()
	return require.Program(t, "python3", "python3")
}

func TestRandomAgainstPython(t *testing.T) {
	program := python(t)
	seed := rand.Int64() - rand.Int64()
	choose := rand.New(rand.NewPCG(uint64(seed), 0))
	var draws []draw
	for range 3000 {
		draws = append(draws, someDraw(choose))
	}
	input, err := json.Marshal(draws)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", script, fmt.Sprint(seed))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { stdin.Write(input); stdin.Close() }()
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(output, &want); err != nil {
		t.Fatal(err)
	}
	r := NewRandom(seed)
	for i, d := range draws {
		if got := d.here(r); got != want[i] {
			t.Fatalf("seed %d, draw %d %v: got %s, Python %s", seed, i, d, got, want[i])
		}
	}
}

// someDraw goes through both branches of sample: 21 + 4**n is its limit.
func someDraw(choose *rand.Rand) draw {
	switch choose.IntN(6) {
	case 0:
		return draw{method: "bits", a: choose.IntN(65)}
	case 1:
		return draw{method: "float"}
	case 2:
		return draw{method: "below", a: 1 + choose.IntN(1<<choose.IntN(31))}
	case 3:
		return draw{method: "choice", a: 1 + choose.IntN(100)}
	case 4:
		return draw{method: "log", a: 1 + choose.IntN(10)}
	}
	n := choose.IntN(400)
	return draw{method: "sample", a: n, b: choose.IntN(min(n, 40) + 1)}
}

func TestOutOfRangePanics(t *testing.T) {
	r := NewRandom(1)
	for name, f := range map[string]func(){
		"bits": func() { r.Bits(65) }, "below": func() { r.Below(0) }, "sample": func() { r.Sample(3, 4) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkDraw(b *testing.B) {
	r := NewRandom(1)
	var buf []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf = Draw(r, i, "inbox", 4096).Append(buf[:0])
	}
}
