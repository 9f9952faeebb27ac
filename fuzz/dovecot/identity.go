package dovecot

import (
	"context"
	"os"
	"os/exec"
	"sync"
)

// Identity is the way a child process is kept from being root, which Dovecot
// refuses.
type Identity int

// The identities, in the order in which they are tried.
const (
	AsCaller    Identity = iota // the caller is not root: nothing to do
	AsNamespace                 // root, called uid 1000 in a user namespace (Linux)
	AsNobody                    // nobody, with capabilities over file permissions
)

// String names the identity for reports.
func (i Identity) String() string {
	return [...]string{"caller", "user namespace", "nobody with capabilities"}[i]
}

// asNobody runs the rest of its arguments as nobody. Without
// no_setuid_fixup, access(2) would not honour the capabilities, and Dovecot
// would open other people's mailboxes read-only.
var asNobody = []string{
	"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
	"--inh-caps", "+chown,+dac_override,+fowner", "--ambient-caps", "+chown,+dac_override,+fowner",
	"--securebits", "+no_setuid_fixup",
}

// command builds the command that runs under the identity.
func (i Identity) command(ctx context.Context, program string, args []string) *exec.Cmd {
	argv := append([]string{program}, args...)
	if i == AsNobody {
		argv = append(append([]string{}, asNobody...), argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if i == AsNamespace {
		enterNamespace(cmd)
	}
	return cmd
}

// pickIdentity probes once per process whether user namespaces work.
var pickIdentity = sync.OnceValue(func() Identity {
	if os.Geteuid() != 0 {
		return AsCaller
	}
	if haveNamespaces && AsNamespace.command(context.Background(), "true", nil).Run() == nil {
		return AsNamespace
	}
	return AsNobody
})
