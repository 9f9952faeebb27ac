package main

import (
	"strings"
	"testing"

	"dsync/fuzz/genmail"
)

func TestParse(t *testing.T) {
	got, err := parse([]string{"root", "10", "2", "-7", "4096"})
	want := genmail.Options{Root: "root", Messages: 10, Mailboxes: 2, Seed: -7, Average: 4096}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range [][]string{nil, {"x"}, {"x", "1", "2", "3", "four"}, {"x", "1", "2", "3", "4", "5"}} {
		if _, err := parse(bad); err == nil || !strings.HasPrefix(err.Error(), "usage: genmail ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
