package crash

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// worlds are the kinds of stores that the rings go through.
var worlds = []struct {
	name string
	make func() (world, error)
}{
	{"memory", func() (world, error) { return newMemWorld(false), nil }},
	{"maildir", func() (world, error) { return newDiskWorld(false) }},
	{"maildir fs", func() (world, error) { return newDiskWorld(true) }},
}

// crashEverywhere runs a situation once with a camera, then goes on from each image.
func crashEverywhere(mk func() (world, error), s situation, seed uint64, every int) (images int, err error) {
	w, err := mk()
	if err != nil {
		return 0, err
	}
	if err := prepare(w, s); err != nil {
		return 0, fmt.Errorf("prepare: %w", err)
	}
	c, err := shoot(w, s.o, seed, every)
	if err != nil {
		return 0, err
	}
	want, err := plain(w, 1)
	if err != nil {
		return 0, err
	}
	if err := settled(w, s.o, want); err != nil {
		return 0, fmt.Errorf("without a crash: %w", err)
	}
	bad := 0
	for _, i := range c.images {
		if e := settled(i.w, s.o, want); e != nil {
			if bad++; err != nil {
				continue
			}
			err = fmt.Errorf("crash before write %d of %d (%s): %w", i.n, c.writes, i.what, e)
		}
	}
	if bad > 1 {
		err = fmt.Errorf("%d images of %d; the first: %w", bad, len(c.images), err)
	}
	return len(c.images), err
}

// P14, E5: a run that crashed at any write is made good by the next.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, k := range worlds {
		for _, s := range []situation{first(), scripted(), apart(scripted())} {
			t.Run(k.name+"/"+s.name, func(t *testing.T) {
				every := 3
				if long() {
					every = 1
				}
				start := time.Now()
				n, err := crashEverywhere(k.make, s, 1, every)
				if err != nil {
					t.Error(err)
				}
				t.Logf("%d images in %v, %d runs compared everything", n, time.Since(start), wholes.Swap(0))
			})
		}
	}
}

// The same with drawn situations. DSYNC_CRASH_CASE=<world>:<seed> repeats one.
func TestCrashRandom(t *testing.T) {
	n, every := uint64(6), 11
	if long() {
		n, every = 300, 3
	}
	if v, err := strconv.ParseUint(os.Getenv("DSYNC_CRASH_SEEDS"), 10, 64); err == nil {
		n = v
	}
	only := os.Getenv("DSYNC_CRASH_CASE")
	for _, k := range worlds {
		t.Run(k.name, func(t *testing.T) {
			total := 0
			for seed := range n {
				id := fmt.Sprintf("%s:%d", k.name, seed)
				if only != "" && only != id {
					continue
				}
				ev := every
				if only != "" {
					ev = 1
				}
				i, err := crashEverywhere(k.make, random(seed), seed, ev)
				if err != nil {
					t.Errorf("DSYNC_CRASH_CASE='%s': %v", id, err)
				}
				total += i
			}
			t.Logf("%d situations, %d images", n, total)
		})
	}
}
