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
	t.Run("temp", func(t *testing.T) { fineTimes(t, t.TempDir()) })
	t.Run("tmpfs", func(t *testing.T) {
		dir, err := os.MkdirTemp("/dev/shm", "dsync-times-")
		if err != nil {
			t.Skip("no /dev/shm")
		}
		defer os.RemoveAll(dir)
		fineTimes(t, dir)
	})
}

func fineTimes(t *testing.T, dir string) {
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
	at := func(name string) string { return filepath.Join(dir, name) }
	changes := []func() error{
		func() error { return os.WriteFile(at("f"), nil, 0o600) },
		func() error { return os.Link(at("f"), at("g")) },
		func() error { return os.Remove(at("f")) },
		func() error { return os.Rename(at("g"), at("h")) },
		func() error { return os.Mkdir(at("d"), 0o700) },
		func() error { return os.Rename(at("h"), at("d/h")) },
		func() error { return os.Rename(at("d/h"), at("h")) },
		func() error { return os.Remove(at("d")) },
		func() error { return os.Remove(at("h")) },
	}
	for i := range 250 * len(changes) {
		if err := changes[i%len(changes)](); err != nil {
			t.Fatal(err)
		}
		now, err := d.Self()
		if err != nil {
			t.Fatal(err)
		}
		if now.Mtime == last.Mtime && now.Ctime == last.Ctime {
			t.Fatalf("change %d shows the times of the one before", i%len(changes))
		}
		last = now
	}
}
