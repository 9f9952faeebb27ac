package engine

import (
	"testing"

	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
)

// Limited runs of fuzz/pure are steps, and come back as what they were; what the
// language cannot say is left out.
func TestLimitedRuns(t *testing.T) {
	for _, c := range []struct{ run, step, back string }{
		{"0=1 limit m:X", "sync A B only X", "0=1 syncm X"},
		{"1=0 limit m:X,m:Y,x:X/*", "sync B A only X only Y except X/*", "1=0 limit m:X,m:Y,x:X/*"},
		{"0=1 limit m:X,1", "oneway A B only X", "0=1 limit m:X,1"},
		{"0=1 limit x:X,backup", "backup A B except X", "0=1 limit x:X,backup"},
		{"0=1 limit t", "", ""},
	} {
		steps := Steps(pure.MustParse(c.run), []string{"A", "B"})
		if len(steps) != 1 {
			if c.step != "" || len(steps) > 0 {
				t.Errorf("%s: %v", c.run, steps)
			}
			continue
		}
		if got := steps[0].String(); got != c.step {
			t.Errorf("%s: got %q, want %q", c.run, got, c.step)
		}
		o := pure.Op{Verb: pure.SyncWhole, R: 0, Peer: 1}
		if steps[0].At == "B" {
			o.R, o.Peer = 1, 0
		}
		switch steps[0].Verb {
		case scenario.OneWay:
			o.Verb = pure.OneWay
		case scenario.Backup:
			o.Verb = pure.Backup
		}
		if o, err := partial(steps[0], o); err != nil || o.String() != c.back {
			t.Errorf("%s: comes back as %v, %v, want %s", c.run, o, err, c.back)
		}
	}
}
