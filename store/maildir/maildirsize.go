package maildir

import (
	"bytes"
	"regexp"

	"dsync/store/maildir/internal/fsys"
)

// maildirsize is the quota file of Maildir++, in the root of the account (where
// CONTROL= points, if it does): a line with the limits, then lines of bytes and
// messages to be summed up.
//
// The sum we cannot keep right: what counts (Trash, deleted mail) hangs on settings
// of the server. The limits may stand nowhere else (Courier's maildirmake -q sets
// them there, and Dovecot can be told to read them there), so they are kept. Every
// reader has to count anew if the file is longer than maildirsizeMax: so the limits
// stay, and lines of nothing make it that long. A file without limits is removed.

const (
	maildirsizeName = "maildirsize"
	maildirsizeMax  = 5120
	maildirsizeRead = 64 << 10 // one longer than this is no such file
)

// limits is the first line: numbers with a letter each, "1000000S,5000C".
var limits = regexp.MustCompile(`^[0-9]+[A-Za-z](,[0-9]+[A-Za-z])*$`)

// uncount makes whoever needs the quota file count anew. What fails is left: a count
// that is off is put right by the server in time, a lost limit is not.
func (s *Store) uncount() {
	for _, root := range s.roots() {
		in, err := root.Stat(maildirsizeName)
		if err != nil || !in.IsReg() || in.Size > maildirsizeMax {
			continue
		}
		_ = s.uncountIn(root)
	}
}

func (s *Store) uncountIn(root fsys.Dir) error {
	data, err := s.readSmall(root, maildirsizeName, maildirsizeRead)
	if err != nil || data == nil {
		return err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if !limits.Match(line) {
		return root.Unlink(maildirsizeName)
	}
	p, err := s.permsOf(root)
	if err != nil {
		return err
	}
	const nothing = "0 0\n"
	anew := append(bytes.Clone(line), '\n')
	anew = append(anew, bytes.Repeat([]byte(nothing), maildirsizeMax/len(nothing)+1)...)
	return s.replace(root, maildirsizeName, anew, p)
}
