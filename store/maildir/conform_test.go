package maildir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dsync/store"
	"dsync/store/maildir"
	"dsync/store/storetest"
)

func factory(o maildir.Options) storetest.Factory {
	return func(dir string) (*storetest.Instance, error) {
		o := o
		o.Path = dir + "/Maildir"
		if o.Control != "" {
			o.Control = dir + "/control"
		}
		if o.Inbox != "" {
			o.Inbox = dir + "/inbox"
		}
		s, err := maildir.Create(o)
		if err != nil {
			return nil, err
		}
		in := &storetest.Instance{
			Store: s, Holder: fmt.Sprintf("pid %d", os.Getpid()),
			Reopen: func(readOnly bool) (store.Store, error) {
				if readOnly {
					return maildir.OpenReadOnly(o)
				}
				return maildir.Open(o)
			},
		}
		if !o.FS && o.Control == "" {
			in.Client = &client{root: o.Path}
		}
		return in, nil
	}
}

func TestConformance(t *testing.T) {
	for _, o := range []maildir.Options{
		{}, {FS: true}, {UTF8: true, Control: "x"}, {FS: true, Control: "x", Inbox: "x"}, {FS: true, DirName: "mAil"},
	} {
		name := o.String()
		t.Run(strings.NewReplacer("/", "_", ":", " ").Replace(name), func(t *testing.T) { storetest.Run(t, factory(o)) })
	}
}

// client changes a Maildir++ with plain file operations, as mutt would.
type client struct {
	root string
	n    int
}

func (c *client) dir(n store.Name) string {
	if n == store.Inbox {
		return c.root
	}
	return c.root + "/." + strings.ReplaceAll(string(n), "/", ".")
}

func letters(f store.Flags) string {
	out := ""
	for _, l := range []struct {
		f store.Flags
		c string
	}{{store.Draft, "D"}, {store.Flagged, "F"}, {store.Answered, "R"}, {store.Seen, "S"}, {store.Deleted, "T"}} {
		if f&l.f != 0 {
			out += l.c
		}
	}
	return out
}

func (c *client) Deliver(n store.Name, body []byte, f store.Flags, received time.Time) (string, error) {
	c.n++
	key := fmt.Sprintf("1600000000.M%dP1.client", c.n)
	name := c.dir(n) + "/new/" + key
	if f != 0 {
		name = c.dir(n) + "/cur/" + key + ":2," + letters(f)
	}
	tmp := c.dir(n) + "/tmp/" + key
	if err := os.WriteFile(tmp, body, 0o600); err != nil {
		return "", err
	}
	if err := os.Chtimes(tmp, received, received); err != nil {
		return "", err
	}
	return key, os.Rename(tmp, name)
}

func (c *client) find(n store.Name, key string) (string, error) {
	for _, sub := range []string{"cur", "new"} {
		m, _ := filepath.Glob(c.dir(n) + "/" + sub + "/" + key + "*")
		for _, path := range m {
			if base, _, _ := strings.Cut(filepath.Base(path), ":"); base == key {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("no message %q in %q", key, n)
}

func (c *client) SetFlags(n store.Name, key string, f store.Flags) error {
	path, err := c.find(n, key)
	if err != nil {
		return err
	}
	return os.Rename(path, c.dir(n)+"/cur/"+key+":2,"+letters(f))
}

func (c *client) Move(from store.Name, key string, to store.Name) (string, error) {
	path, err := c.find(from, key)
	if err != nil {
		return "", err
	}
	return key, os.Rename(path, c.dir(to)+"/cur/"+filepath.Base(path))
}

func (c *client) Expunge(n store.Name, key string) error {
	path, err := c.find(n, key)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

func (c *client) CreateMailbox(n store.Name) error {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(c.dir(n)+"/"+sub, 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) DeleteMailbox(n store.Name) error { return os.RemoveAll(c.dir(n)) }

// RenameMailbox takes the children along, as clients do.
func (c *client) RenameMailbox(from, to store.Name) error {
	children, _ := filepath.Glob(c.dir(from) + ".*")
	for _, path := range children {
		if err := os.Rename(path, c.dir(to)+strings.TrimPrefix(path, c.dir(from))); err != nil {
			return err
		}
	}
	return os.Rename(c.dir(from), c.dir(to))
}

func (c *client) Subscribe(n store.Name, on bool) error {
	path := c.root + "/subscriptions"
	data, _ := os.ReadFile(path)
	line := strings.ReplaceAll(string(n), "/", "\t") + "\n"
	if len(data) == 0 {
		data = []byte("V\t2\n\n")
	}
	text := strings.Replace(string(data), "\n"+line, "\n", 1)
	if on {
		text += line
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
