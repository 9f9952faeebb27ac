package maildir

import (
	"os"
	"path/filepath"
	"testing"

	"dsync/store/maildir/internal/fsys"
)

// Where FineTimes says so, no two changes of a directory with a look between them
// show the same times.
func TestFineTimes(t *testing.T) {
	dir := t.TempDir()
	d, err := fsys.OS{}.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if !fsys.FineTimes(d) {
		t.Skip("the file system's times are coarse here")
	}
	last, err := d.Self()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if i%2 == 0 {
			err = os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
		} else {
			err = os.Rename(filepath.Join(dir, "f"), filepath.Join(dir, "g"))
		}
		if err != nil {
			t.Fatal(err)
		}
		now, err := d.Self()
		if err != nil {
			t.Fatal(err)
		}
		if now.Mtime == last.Mtime && now.Ctime == last.Ctime {
			t.Fatalf("change %d shows the times of the one before", i)
		}
		last = now
	}
}
