package simulate

import (
	"slices"

	"dsync/fuzz/lab"
)

// exception is what is known not to hold (DESIGN.md 12).
type exception struct {
	laws []string
	when func(w *Outcome) bool
	says string
}

var exceptions []exception

// excuse takes findings away that a known exception is about, and counts them.
func (w *Outcome) excuse() {
	w.Result.Broken = slices.DeleteFunc(w.Result.Broken, func(f lab.Finding) bool {
		for _, e := range exceptions {
			if slices.Contains(e.laws, f.Law) && e.when(w) {
				w.Excused = append(w.Excused, f.Law+": "+e.says)
				return true
			}
		}
		return false
	})
}
