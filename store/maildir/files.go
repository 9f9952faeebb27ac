package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"dsync/store/maildir/internal/fsys"
)

// tempPrefix begins every name that is not yet, or no longer, in place. The run's
// id follows, so that Cleanup can tell a dead run's from its own.
const tempPrefix = "dsync-tmp."

func (s *Store) temp() string { return fmt.Sprintf("%s%s.%d", tempPrefix, s.run, s.seq.Add(1)) }

// deadTemp reports whether name was left by another run.
func (s *Store) deadTemp(name string) bool {
	rest, ok := strings.CutPrefix(name, tempPrefix)
	return ok && !strings.HasPrefix(rest, s.run+".")
}

// perms is what new files and directories in a directory get.
type perms struct {
	dirMode, fileMode uint32
	uid, gid          int
	own               bool // the system would give another owner or group
}

func (s *Store) permsOf(d fsys.Dir) (perms, error) {
	in, err := d.Self()
	if err != nil {
		return perms{}, err
	}
	p := perms{dirMode: in.Mode & 0o2777, fileMode: in.Mode & 0o666, uid: int(in.UID), gid: int(in.GID)}
	setgid := in.Mode&0o2000 != 0
	uid, gid := s.opts.As.Owner()
	p.own = p.uid != uid || p.gid != gid && !setgid
	return p, nil
}

// dress gives a new file its owner and mode. Who is not root may fail to give
// files away; that is as Dovecot has it, and no error.
func (s *Store) dress(f fsys.File, p perms) error {
	if p.own {
		if err := f.Chown(p.uid, p.gid); err != nil {
			if !errors.Is(err, syscall.EPERM) {
				return err
			}
			if err := f.Chown(-1, p.gid); err != nil && !errors.Is(err, syscall.EPERM) {
				return err
			}
		}
	}
	if p.fileMode&s.umask != 0 {
		return f.Chmod(p.fileMode)
	}
	return nil
}

// mkdir makes one directory with owner and mode; it does not sync.
func (s *Store) mkdir(d fsys.Dir, name string, p perms) error {
	if err := d.Mkdir(name, p.dirMode&0o777); err != nil {
		return err
	}
	if p.own {
		if err := d.Chown(name, p.uid, p.gid); err != nil && !errors.Is(err, syscall.EPERM) {
			return err
		}
	}
	if p.dirMode&s.umask != 0 || p.dirMode&0o2000 != 0 {
		return d.Chmod(name, p.dirMode)
	}
	return nil
}

// mkdirs makes every level of path that is not there, and syncs them.
func (s *Store) mkdirs(root fsys.Dir, path string) error {
	if path == "." {
		return nil
	}
	cur, owned := root, false
	defer func() {
		if owned {
			_ = cur.Close()
		}
	}()
	for level := range strings.SplitSeq(path, "/") {
		next, err := cur.OpenDir(level)
		if errors.Is(err, fs.ErrNotExist) {
			p, perr := s.permsOf(cur)
			if perr != nil {
				return perr
			}
			if err := s.mkdir(cur, level, p); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if err := cur.Sync(); err != nil {
				return err
			}
			next, err = cur.OpenDir(level)
		}
		if err != nil {
			return err
		}
		if owned {
			_ = cur.Close()
		}
		cur, owned = next, true
	}
	return nil
}

// readSmall reads a file of at most limit bytes; nil if it is not there.
func (s *Store) readSmall(d fsys.Dir, name string, limit int64) ([]byte, error) {
	if d == nil {
		return nil, nil
	}
	f, err := d.Open(name)
	if err != nil {
		if missing(err) {
			return nil, nil
		}
		return nil, err
	}
	defer f.Close()
	s.opened.Add(1)
	in, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return s.readAll(f, in, name, limit)
}

// replace writes a file anew: a temporary one, synced, renamed over the old one,
// the directory synced.
func (s *Store) replace(d fsys.Dir, name string, data []byte, p perms) error {
	tmp := s.temp()
	f, err := d.Create(tmp, p.fileMode)
	if err != nil {
		return err
	}
	err = s.dress(f, p)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = d.Rename(tmp, d, name)
	}
	if err != nil {
		_ = d.Unlink(tmp)
		return err
	}
	s.wrote.Add(int64(len(data)))
	return d.Sync()
}
