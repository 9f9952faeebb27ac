package argument

import (
	"fmt"
	"strconv"
	"strings"

	"dsync/cmd/internal/engine"
)

// MaxDelete reads the safety brake: "off", "N" messages, "P%" of the account, or
// both, "N,P%": then a run is stopped only if it would go beyond both.
func MaxDelete(s string) (engine.MaxDelete, error) {
	none := engine.MaxDelete{Set: true, Count: -1, Percent: -1}
	if s == "off" {
		none.Off = true
		return none, nil
	}
	d := none
	parts := strings.Split(s, ",")
	ok := len(parts) <= 2
	for _, p := range parts {
		share, isShare := strings.CutSuffix(strings.TrimSpace(p), "%")
		n, err := strconv.ParseUint(share, 10, 31)
		switch {
		case err != nil, isShare && (n > 100 || d.Percent >= 0), !isShare && d.Count >= 0:
			ok = false
		case isShare:
			d.Percent = int(n)
		default:
			d.Count = int(n)
		}
	}
	if !ok {
		return engine.MaxDelete{}, fmt.Errorf("%.40q: want off, a number of messages, a share like 50%%, or both like 100,50%%", s)
	}
	return d, nil
}
