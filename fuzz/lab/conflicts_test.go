package lab

import (
	"strings"
	"testing"

	"dsync/fuzz/engine"
)

// What happened is counted by looking, what was reported by the run: over the matrix
// the two agree, but for what cannot be told by looking.
func TestConflictsHappened(t *testing.T) {
	unseen := map[string]string{
		"AP x CP: rule 1":   "the copy shares its name with the original",
		"CP x MV: rule 2":   "so does this one, and both are one mail",
		"CP x DL: rule 15":  "so does this one",
		"CP x UV: rule 22":  "and this one",
		"RN x RN: rule 14":  "a mailbox below its own child is shown elsewhere, as one whose parent is renamed is",
		"RN x US: rule 21,": "a subscription of another name, given in the same run",
		"SU x US: rule 21,": "an unsubscription that came from the other side looks like one's own",
	}
	for _, f := range suite(t) {
		if !strings.HasSuffix(f.Name, "matrix.txt") {
			continue
		}
		for _, s := range f.Scenarios {
			m := Play(engine.Pure{}, s, Options{}).Metrics
			why := ""
			for name, w := range unseen { // any order: names begin differently
				if strings.HasPrefix(s.Name, name) {
					why = w
				}
			}
			if (m.ConflictsHappened != m.ConflictsReported) != (why != "") {
				t.Errorf("%s: %d happened, %d reported (%s)", s.Name, m.ConflictsHappened, m.ConflictsReported, why)
			}
		}
	}
}
