package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"dsync/store"
)

// Of many users' statuses the first of 78 64 77 73 65 67 68 1 75 2 0 stands.
func TestCombine(t *testing.T) {
	order := []int{78, 64, 77, 73, 65, 67, 68, 1, 75, 2, 0}
	for i, a := range order {
		for j, b := range order {
			if got := Combine(a, b); got != order[min(i, j)] {
				t.Errorf("Combine(%d, %d) = %d", a, b, got)
			}
		}
	}
	if Combine() != 0 || Combine(0, 99) != ExitInternal {
		t.Error("none, or unknown")
	}
}

func TestExitOf(t *testing.T) {
	_, missing := os.Open("/no/such/file")
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {errors.New("x"), 1}, {context.Canceled, 75}, {fmt.Errorf("x: %w", store.ErrBusy), 75}, {store.ErrGone, 75},
		{store.ErrNoMailbox, 68}, {store.ErrReadOnly, 77}, {syscall.EACCES, 77}, {syscall.EPERM, 77}, {syscall.EROFS, 77}, {syscall.ENOSPC, 73},
		{syscall.EDQUOT, 73}, {store.ErrDamaged, 65}, {store.ErrUnsupported, 65}, {store.ErrChanged, 2}, {missing, 75}, {syscall.EIO, 75},
		{fmt.Errorf("x: %w", Fail(78, store.ErrGone)), 78},
	} {
		if got := ExitOf(c.err); got != c.want {
			t.Errorf("ExitOf(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}
