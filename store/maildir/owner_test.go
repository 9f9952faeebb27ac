package maildir

import (
	"os"
	"syscall"
)

func owner(in os.FileInfo) (uid, gid int) {
	st := in.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid)
}
