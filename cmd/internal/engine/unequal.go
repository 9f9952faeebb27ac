package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// keepInputs keeps what two ends had exchanged when they came to different plans: that
// should not happen, and whoever looks for the reason needs it. It holds names, flags and
// identities, no bodies.
func (r *run) keepInputs(own, theirs []byte) {
	base := filepath.Join(r.o.ChangeLog, fmt.Sprintf("unequal-plans-%d", time.Now().UnixMicro()))
	for name, data := range map[string][]byte{base + "-own": own, base + "-theirs": theirs} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			r.warn("what the two ends had exchanged could not be kept: %v", err)
			return
		}
	}
	r.warn("the two ends came to different plans; please report it with %s-own and -theirs, which hold names and flags, no mail", base)
}
