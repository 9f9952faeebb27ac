package dovecot

import (
	"os"
	"os/exec"
	"syscall"
)

const (
	haveNamespaces = true
	innerID        = 1000 // what root is called inside the namespace
)

// enterNamespace gives the command a user namespace in which the caller's uid
// and gid are called innerID.
func enterNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: innerID, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: innerID, HostID: os.Getegid(), Size: 1}},
		Credential:  &syscall.Credential{Uid: innerID, Gid: innerID, NoSetGroups: true},
	}
}
