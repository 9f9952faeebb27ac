package require

import "testing"

// witness is a test that may be skipped or fail.
type witness struct {
	testing.TB
	skipped, failed bool
}

func (w *witness) Helper()               {}
func (w *witness) Fatalf(string, ...any) { w.failed = true }
func (w *witness) Skipf(string, ...any)  { w.skipped = true }

func TestRequire(t *testing.T) {
	t.Setenv("DSYNC_REQUIRE", "strace,dovecot")
	if !Named("dovecot") || !Named("strace") || Named("mbsync") {
		t.Error("DSYNC_REQUIRE is not read as a list")
	}
	for name, want := range map[string]witness{"dovecot": {failed: true}, "mbsync": {skipped: true}} {
		var w witness
		if Program(&w, name, "no-such-program-anywhere"); w.skipped != want.skipped || w.failed != want.failed {
			t.Errorf("%s is missing: skipped %v, failed %v", name, w.skipped, w.failed)
		}
	}
	if w := (witness{}); Program(&w, "sh", "sh") == "" || w.skipped || w.failed {
		t.Error("sh is there")
	}
}
