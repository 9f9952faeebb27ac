package location

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoUser says that a location needs a user, or a home, that there is not.
var ErrNoUser = errors.New("no such user")

// Vars is what the variables of a location stand for.
type Vars struct {
	User string
	// Home gives the user's home directory; it is asked only when one is needed.
	Home func() (string, error)
}

// Varies reports whether a location can differ from user to user.
func Varies(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if s[i+1] != '%' {
			return true
		}
		i++
	}
	if s == "~" || strings.HasPrefix(s, "~/") {
		return true
	}
	return strings.Contains(s, ":~/") || strings.HasSuffix(s, ":~") || strings.Contains(s, "=~/")
}

// CheckUser reports why a name cannot be a user's.
func CheckUser(name string) error {
	bad := name == "" || len(name) > 512
	for i := 0; i < len(name); i++ {
		bad = bad || name[i] < 0x20 || name[i] == 0x7f || name[i] == '/'
	}
	local, domain, _ := strings.Cut(name, "@")
	for _, part := range []string{name, local, domain} {
		bad = bad || part == "." || part == ".."
	}
	if bad {
		return fmt.Errorf("%w: %.80q cannot be a user's name", ErrNoUser, name)
	}
	return nil
}

// expandPath expands "~/" at the start, and variables.
func expandPath(s string, v *Vars) (string, error) {
	if v == nil || s != "~" && !strings.HasPrefix(s, "~/") {
		return Expand(s, v)
	}
	home, err := v.home()
	if err != nil {
		return "", err
	}
	rest, err := Expand(s[1:], v)
	return home + rest, err
}

// Expand replaces the variables; with v == nil the text stands as it is.
func Expand(s string, v *Vars) (string, error) {
	if v == nil || strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		name, mods, n := variable(s[i+1:])
		text, err := v.value(name)
		if err != nil {
			return "", err
		}
		for _, m := range mods {
			if m == 'L' {
				text = strings.ToLower(text)
			} else {
				text = strings.ToUpper(text)
			}
		}
		b.WriteString(text)
		if b.Len() > MaxLength {
			return "", fmt.Errorf("expands to more than %d bytes", MaxLength)
		}
		i += n
	}
	return b.String(), nil
}

// variable reads modifiers and a name after '%', and says how long they are.
func variable(s string) (name, mods string, n int) {
	for n < len(s) && (s[n] == 'L' || s[n] == 'U') {
		n++
	}
	mods = s[:n]
	switch {
	case n == len(s):
		return "", mods, n
	case s[n] != '{':
		return s[n : n+1], mods, n + 1
	}
	if end := strings.IndexByte(s[n:], '}'); end > 0 {
		return s[n+1 : n+end], mods, n + end + 1
	}
	return s[n:], mods, len(s)
}

func (v *Vars) value(name string) (string, error) {
	if name == "%" {
		return "%", nil
	}
	if name == "h" || name == "home" {
		return v.home()
	}
	local, domain, _ := strings.Cut(v.User, "@")
	out, ok := map[string]string{
		"u": v.User, "user": v.User, "n": local, "username": local, "d": domain, "domain": domain,
	}[name]
	if !ok {
		return "", fmt.Errorf("unknown variable %%%s; known are %%u %%n %%d %%h %%%%", name)
	}
	return out, CheckUser(v.User)
}

func (v *Vars) home() (string, error) {
	if v.Home == nil {
		return "", fmt.Errorf("%w: the home directory of %q is not known", ErrNoUser, v.User)
	}
	home, err := v.Home()
	if err != nil {
		return "", fmt.Errorf("%w: the home directory of %q is not known: %w", ErrNoUser, v.User, err)
	}
	return home, nil
}
