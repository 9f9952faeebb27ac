package dovecot

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dateLayout is INTERNALDATE's.
const dateLayout = "_2-Jan-2006 15:04:05 -0700"

// Create makes a mailbox.
func (c *Session) Create(mailbox string) error {
	_, _, err := c.do("CREATE", nameWord(mailbox))
	return err
}

// Delete deletes a mailbox; its children stay.
func (c *Session) Delete(mailbox string) error {
	if err := c.unselect(); err != nil {
		return err
	}
	_, _, err := c.do("DELETE", nameWord(mailbox))
	return err
}

// Rename renames a mailbox with its children.
func (c *Session) Rename(from, to string) error {
	if err := c.unselect(); err != nil {
		return err
	}
	_, _, err := c.do("RENAME", nameWord(from), nameWord(to))
	return err
}

// Subscribe subscribes a name, which Dovecot wants to exist.
func (c *Session) Subscribe(mailbox string) error {
	_, _, err := c.do("SUBSCRIBE", nameWord(mailbox))
	return err
}

// Unsubscribe takes a subscription away.
func (c *Session) Unsubscribe(mailbox string) error {
	_, _, err := c.do("UNSUBSCRIBE", nameWord(mailbox))
	return err
}

// Append saves a message with flags (system flags with their backslash,
// keywords without) and returns its UID. A zero received date means now. NUL
// bytes are refused by IMAP; see [Store.Save].
func (c *Session) Append(mailbox string, message []byte, received time.Time, flags ...string) (uint32, error) {
	words := []any{"APPEND", nameWord(mailbox), flagList(flags)}
	if !received.IsZero() {
		words = append(words, `"`+received.Format(dateLayout)+`"`)
	}
	_, text, err := c.do(append(words, Literal(message))...)
	if err != nil {
		return 0, err
	}
	uids, err := codeUIDs(text, "APPENDUID")
	if err != nil {
		return 0, err
	}
	return uids[0], nil
}

// AddFlags sets flags and keywords on messages.
func (c *Session) AddFlags(mailbox string, uids []uint32, flags ...string) error {
	return c.store(mailbox, uids, "+FLAGS.SILENT", flags)
}

// RemoveFlags clears flags and keywords on messages.
func (c *Session) RemoveFlags(mailbox string, uids []uint32, flags ...string) error {
	return c.store(mailbox, uids, "-FLAGS.SILENT", flags)
}

// SetFlags replaces all flags and keywords of messages.
func (c *Session) SetFlags(mailbox string, uids []uint32, flags ...string) error {
	return c.store(mailbox, uids, "FLAGS.SILENT", flags)
}

func (c *Session) store(mailbox string, uids []uint32, item string, flags []string) error {
	return c.onUIDs(mailbox, uids, "STORE", item, flagList(flags))
}

// Expunge marks messages \Deleted and expunges exactly them.
func (c *Session) Expunge(mailbox string, uids ...uint32) error {
	if err := c.AddFlags(mailbox, uids, `\Deleted`); err != nil {
		return err
	}
	return c.onUIDs(mailbox, uids, "EXPUNGE")
}

// Copy copies messages into another mailbox. UIDs that do not exist are
// passed over, as IMAP says.
func (c *Session) Copy(from string, to string, uids ...uint32) error {
	return c.onUIDs(from, uids, "COPY", nameWord(to))
}

// Move moves messages into another mailbox.
func (c *Session) Move(from string, to string, uids ...uint32) error {
	return c.onUIDs(from, uids, "MOVE", nameWord(to))
}

// onUIDs selects the mailbox and runs "UID verb set rest…".
func (c *Session) onUIDs(mailbox string, uids []uint32, verb string, rest ...any) error {
	if len(uids) == 0 {
		return nil
	}
	if err := c.use(mailbox); err != nil {
		return err
	}
	_, _, err := c.do(append([]any{"UID", verb, uidSet(uids)}, rest...)...)
	return err
}

// use has the mailbox selected for writing. It is selected anew each time, so
// that what other programs did in between is seen.
func (c *Session) use(mailbox string) error {
	c.selected = ""
	if _, _, err := c.do("SELECT", nameWord(mailbox)); err != nil {
		return err
	}
	c.selected = mailbox
	return nil
}

// unselect leaves the selected mailbox without expunging.
func (c *Session) unselect() error {
	if c.selected == "" {
		return nil
	}
	c.selected = ""
	_, _, err := c.do("UNSELECT")
	return err
}

// nameWord is a mailbox name as a literal, so that nothing needs quoting.
func nameWord(mailbox string) Literal { return Literal(EncodeName(mailbox)) }

func flagList(flags []string) string { return "(" + strings.Join(flags, " ") + ")" }

func uidSet(uids []uint32) string {
	words := make([]string, len(uids))
	for i, u := range uids {
		words[i] = strconv.FormatUint(uint64(u), 10)
	}
	return strings.Join(words, ",")
}

// codeUIDs reads the UIDs of "[APPENDUID validity set] …".
func codeUIDs(text, code string) ([]uint32, error) {
	inside, _, closed := strings.Cut(strings.TrimPrefix(text, "["), "]")
	words := strings.Fields(inside)
	if !closed || len(words) != 3 || words[0] != code {
		return nil, fmt.Errorf("dovecot: no %s in %q", code, text)
	}
	uid, err := strconv.ParseUint(words[2], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("dovecot: bad %s in %q", code, text)
	}
	return []uint32{uint32(uid)}, nil
}
