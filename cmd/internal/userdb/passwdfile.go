package userdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// PasswdFile is a database in the form of Dovecot's passwd-file.
type PasswdFile struct {
	*lines
	ids *IDs
}

// OpenPasswdFile reads a file. ids reads uids and gids that are names. Lines that
// cannot be read are given to warn.
func OpenPasswdFile(file string, ids *IDs, warn func(string)) (*PasswdFile, error) {
	l, err := readLines(file, func(line string) bool { return line[0] == '#' || line[0] == ':' }, warn)
	if err != nil {
		return nil, err
	}
	return &PasswdFile{l, ids}, nil
}

// Name is "passwd_file".
func (p *PasswdFile) Name() string { return "passwd_file" }

// Lookup gives a user.
func (p *PasswdFile) Lookup(_ context.Context, name string) (*User, error) {
	return p.lookup(name, p.parse)
}

// parse reads name:password:uid:gid:gecos:home:shell:extra fields.
func (p *PasswdFile) parse(u *User, fields []string) (err error) {
	if u.UID, err = p.ids.UID(field(fields, 2)); err != nil {
		return err
	}
	if u.GID, err = p.ids.GID(field(fields, 3)); err != nil {
		return err
	}
	u.Home = field(fields, 5)
	if err := checkHome(u.Home); err != nil {
		return err
	}
	if len(fields) <= 7 {
		return nil
	}
	if fields[7] == "" {
		u.Mail = strings.Join(fields[min(8, len(fields)):], ":")
		return nil
	}
	return p.extra(u, strings.Join(fields[7:], ":"))
}

func (p *PasswdFile) extra(u *User, text string) (err error) {
	n := 0
	for word := range strings.FieldsSeq(text) {
		if n++; n > MaxExtra {
			return fmt.Errorf("more than %d extra fields", MaxExtra)
		}
		key, value, _ := strings.Cut(word, "=")
		key, ok := strings.CutPrefix(key, "userdb_")
		if !ok {
			continue
		}
		switch key {
		case "":
			return errors.New(`an extra field "userdb_" has no name`)
		case "home":
			u.Home, err = value, checkHome(value)
		case "uid":
			u.UID, err = p.ids.UID(value)
		case "gid":
			u.GID, err = p.ids.GID(value)
		case "mail":
			u.Mail = value
		default:
			u.Extra[key] = value
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Names gives all users of the file.
func (p *PasswdFile) Names(ctx context.Context, mask string) iter.Seq2[string, error] {
	return fits(ctx, p.names, mask, func(string) bool { return true })
}
