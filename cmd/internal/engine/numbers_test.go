package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// P3, P10: where UIDs end, the mailbox is numbered anew under a higher UIDVALIDITY;
// where that has ended too, what has no UID is named and left, and the rest carried.
func TestNumbersEnd(t *testing.T) {
	t.Parallel()
	const last = "4294967295"
	for _, c := range []struct {
		name, uidlist string
		exit          int
		header        string // of both uidlists; with a space behind it, its beginning
		far           []string
	}{
		{"UIDVALIDITY has room", "3 V100 N" + last, ExitOK, "", []string{"M1", "M2"}},
		{"UIDs have room", "3 V" + last + " N3\n1 :M1\n2 :M2", ExitOK, "3 V" + last + " N3 ", []string{"M1", "M2"}},
		{"nothing needs a UID", "3 V" + last + " N" + last + "\n1 :M1\n4294967294 :M2", ExitOK, "3 V" + last + " N" + last + " ", []string{"M1", "M2"}},
		{"room for one", "3 V" + last + " N4294967294", ExitData, "3 V" + last + " N", []string{"M1"}},
		{"no room", "3 V" + last + " N" + last, ExitData, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t)
			p.deliver("A", "", "M1", "")
			p.deliver("A", "", "M2", "")
			p.deliver("A", ".other", "M3", "")
			p.must(os.WriteFile(filepath.Join(p.dir, "A", "dovecot-uidlist"), []byte(c.uidlist+"\n"), 0o600))
			for run := range 2 { // P2: the second has the same to say
				r := p.any(nil)
				if r.Exit != c.exit || r.Equal != (c.exit == ExitOK) {
					t.Errorf("run %d: exit %d, %v, equal %v, %v %v", run, r.Exit, r.Err, r.Equal, r.Skipped, r.Again)
				}
				var far []string
				for _, k := range []string{"M1", "M2"} {
					if p.has("B", "", k) {
						far = append(far, k)
					}
				}
				if !slices.Equal(far, c.far) || !p.has("B", ".other", "M3") || !p.has("A", "", "M1") || !p.has("A", "", "M2") {
					t.Errorf("run %d: the far side has %v", run, far)
				}
				if said := r.Skipped; c.exit != ExitOK && (len(said) == 0 || said[0].Mailbox != "INBOX" || !strings.Contains(said[0].Reason, "new mailbox")) {
					t.Errorf("run %d says %+v", run, said)
				}
			}
			for _, side := range []string{"A", "B"} {
				b, err := os.ReadFile(filepath.Join(p.dir, side, "dovecot-uidlist"))
				p.must(err)
				if !strings.HasPrefix(string(b), c.header) {
					t.Errorf("%s: %s", side, b)
				}
			}
		})
	}
}
