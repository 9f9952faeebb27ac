package main

import (
	"strings"
	"testing"

	"dsync/fuzz/mutate"
)

func TestParse(t *testing.T) {
	got, err := parse([]string{"dir", "1", "2", "3", "-4"})
	want := mutate.Options{Maildir: "dir", Flag: 1, New: 2, Delete: 3, Seed: -4}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range [][]string{nil, {"x"}, {"x", "1", "2", "3", "four"}, {"x", "1", "2", "3", "4", "5"}} {
		if _, err := parse(bad); err == nil || !strings.HasPrefix(err.Error(), "usage: mutate ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
