package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"dsync/cmd/internal/remote"
)

// Limits on a file of secrets.
const (
	MinSecret   = 16      // bytes of a secret: who listens to plain tcp may try them
	maxSecrets  = 10_000  // lines
	maxFileSize = 4 << 20 // bytes
)

// Secrets are those of one file, by name.
type Secrets map[string]remote.Secret

// ReadSecrets reads a file of lines "NAME:SECRET"; lines that are empty or begin with
// "#" say nothing. No line of it is ever part of an error.
func ReadSecrets(file string) (Secrets, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", file)
	case info.Mode()&0o077 != 0:
		return nil, fmt.Errorf("%s may be read or written by others than its owner (mode %04o): chmod 600 it", file, info.Mode().Perm())
	}
	out := Secrets{}
	in := bufio.NewScanner(io.LimitReader(f, maxFileSize+1))
	in.Buffer(make([]byte, 0, 4<<10), 64<<10)
	for line := 1; in.Scan(); line++ {
		text := strings.TrimRight(in.Text(), "\r")
		if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, key, ok := strings.Cut(text, ":")
		switch _, twice := out[name]; {
		case !ok || name == "" || len(name) > remote.MaxLoginName:
			err = errors.New("want NAME:SECRET")
		case len(key) < MinSecret:
			err = fmt.Errorf("a secret has at least %d bytes; try: head -c 24 /dev/urandom | base64", MinSecret)
		case twice:
			err = fmt.Errorf("%.40q has two secrets", name)
		case len(out) == maxSecrets:
			err = fmt.Errorf("more than %d secrets", maxSecrets)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		out[name] = remote.Secret{Name: name, Key: []byte(key)}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no secret; want NAME:SECRET", file)
	}
	return out, nil
}

// ReadSecret reads a file that holds one secret, a near end's.
func ReadSecret(file string) (remote.Secret, error) {
	all, err := ReadSecrets(file)
	if err != nil {
		return remote.Secret{}, err
	}
	if len(all) > 1 {
		return remote.Secret{}, fmt.Errorf("%s holds %d secrets: which is this end's? Write it into a file of its own", file, len(all))
	}
	for _, s := range all {
		return s, nil
	}
	panic("a file of secrets without one")
}

// Of gives the secret of a name, the zero value if there is none.
func (s Secrets) Of(name string) remote.Secret { return s[name] }
