package serve

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells systemd how the service stands.
type Notifier struct {
	to    *net.UnixAddr // nil: nobody asked
	every time.Duration // of signs of life; 0: none are wanted
}

// NewNotifier reads what systemd put into the environment.
func NewNotifier(env func(string) string) *Notifier {
	n := &Notifier{}
	name := env("NOTIFY_SOCKET")
	if !strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "@") {
		return n
	}
	n.to = &net.UnixAddr{Name: name, Net: "unixgram"} // net reads "@" as systemd does
	if us, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		n.every = time.Duration(us) * time.Microsecond / 2
	}
	return n
}

// Every is how often Alive is to be called; 0: never.
func (n *Notifier) Every() time.Duration { return n.every }

// Ready says that work is taken.
func (n *Notifier) Ready(status string) { n.say("READY=1", "STATUS="+line(status)) }

// Status says what the service is doing.
func (n *Notifier) Status(status string) { n.say("STATUS=" + line(status)) }

// Reloading says that the configuration is read anew; Ready is to follow.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		n.say("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
	}
}

// Stopping says that the service is about to end.
func (n *Notifier) Stopping() { n.say("STOPPING=1", "STATUS=ending what is under way") }

// Alive is a sign of life.
func (n *Notifier) Alive() { n.say("WATCHDOG=1") }

func (n *Notifier) say(lines ...string) {
	if n.to == nil {
		return
	}
	c, err := net.DialUnix("unixgram", nil, n.to)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write([]byte(strings.Join(lines, "\n")))
}

// line keeps a status on its line.
func line(s string) string { return strings.ReplaceAll(s, "\n", " ") }
