package main

import (
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	in := `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"A","Output":"=== RUN   A\n"}
{"Action":"output","Package":"p","Test":"A","Output":"    x_test.go:3: skipped: no sheep\n"}
{"Action":"output","Package":"p","Test":"A","Output":"--- SKIP: A (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"B","Output":"    x_test.go:9: wrong\n"}
{"Action":"fail","Package":"p","Test":"B"}
{"Action":"output","Package":"p","Test":"C","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"C"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
not json
`
	var out strings.Builder
	c := newTally(&out)
	if err := c.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "    x_test.go:9: wrong\nFAIL\tp\t0.1s\nnot json\n"; got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
	if got, want := c.last(), "1 tests passed, 1 failed, 1 skipped: 1 × no sheep"; got != want {
		t.Errorf("last line %q, want %q", got, want)
	}
}
