package argument

import "fmt"

// MaxState bounds a state string (cli.md, State).
const MaxState = 64 << 10

// State reports why a text cannot be a state string: one line of
// [A-Za-z0-9+/=_.-], not beginning with "-". The empty one is good.
func State(s string) error {
	if len(s) > MaxState {
		return fmt.Errorf("state of %d bytes: at most %d", len(s), MaxState)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		mark := c == '+' || c == '/' || c == '=' || c == '_' || c == '.' || c == '-' && i > 0
		if !alnum && !mark {
			return fmt.Errorf("state with %q at byte %d", c, i)
		}
	}
	return nil
}
