package tomlfile

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	f, err := Read("f", []byte("a = 1\n\n[t.\"x y\"]\nb = 'two' # words\nc = [true, 0x10]\nd.e = { f = \"\"\"g\nh\"\"\" }\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range f.Entries {
		got = append(got, fmt.Sprintf("%d:%d %s %v %v %d:%d", e.At.Line, e.At.Column, e.Name(), e.Value, e.Table, e.Of.Line, e.Of.Column))
	}
	want := []string{"1:1 a 1 false 1:5", `3:2 t."x y" <nil> true 3:2`, `4:1 t."x y".b two false 4:5`, `5:1 t."x y".c [true 16] false 5:1`, "6:9 t.\"x y\".d.e.f g\nh false 6:13"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a = ", "f:1:4: "},
		{"a = 1\nb = \"x\n", "f:2:"},
		{"a = 1\na = 2", "f:2:1: the key stands in line 1 already"},
		{"a.b = 1\n[a]\nb = 2", "f:"},
		{"a = 1.5", "f:1:5: want a string"},
		{"a = 99999999999999999999", "f:1:5: 99999999999999999999 is out of range"},
		{"a = [{b = 1}]", "f:1:1: want a string"},
		{"=\n", "f:1:1: "},
	} {
		_, err := Read("f", []byte(c.in))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.in, err, c.want)
		}
	}
}

// Any bytes give a file or an error with a place, in bounded time.
func FuzzRead(f *testing.F) {
	f.Add([]byte("a = [1, [2, 'x']]\n[b]\nc.d = {e = true}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := Read("f", data)
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Column < 1) {
			t.Fatalf("no place: %v", err)
		}
	})
}

// The largest file is read in linear time: a minute's worth of it would not be.
func TestLarge(t *testing.T) {
	for _, in := range []string{strings.Repeat("[", MaxFile), strings.Repeat("a.", MaxFile/2), "a = " + strings.Repeat("[", MaxFile-4), "a = " + strings.Repeat("{a=", MaxFile/3-2), strings.Repeat("#\n", MaxFile/2)} {
		Read("f", []byte(in))
	}
	var w strings.Builder
	for i := 0; w.Len() < MaxFile-20; i++ {
		fmt.Fprintf(&w, "k%d = %d\n", i, i)
	}
	if _, err := Read("f", []byte(w.String())); err != nil {
		t.Error(err)
	}
}
