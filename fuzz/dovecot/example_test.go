package dovecot_test

import (
	"fmt"
	"os"
	"time"

	"dsync/fuzz/dovecot"
)

// A store is filled over IMAP, synchronised by Dovecot itself and read back.
func Example() {
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	d, err := dovecot.New(dir)
	if err != nil {
		panic(err)
	}
	left, right := d.Store("maildir:"+dir+"/left"), d.Store("maildir:"+dir+"/right")
	c, err := left.Session()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	uid, err := c.Append("INBOX", []byte("Subject: x\r\n\r\nbody\r\n"), time.Unix(0, 0), `\Seen`, "work")
	if err != nil {
		panic(err)
	}
	if err := c.AddFlags("INBOX", []uint32{uid}, `\Flagged`); err != nil {
		panic(err)
	}
	state, code, _, err := left.Sync(right.Location(), "-s", "")
	fmt.Println(state, code, err)
	listing, err := right.Listing()
	fmt.Println(listing, err)
}
