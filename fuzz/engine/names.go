package engine

import (
	"fmt"
	"io"
	"strings"
)

// Known lists the engines that have a name, with what they are.
var Known = []struct{ Name, Says string }{
	{"pure", "the merge alone; judges more laws than can be seen from outside"},
	{"memory", "whole sessions of dsync over stores in memory"},
	{"maildir", "whole sessions over Maildirs, changed by plain file operations"},
	{"dovecot", "whole sessions over Maildirs that Dovecot changes and reads"},
	{"doveadm", "doveadm sync and backup of the Dovecot that is installed"},
}

// ByName finds an engine. Close it after use.
func ByName(name string) (Engine, error) {
	switch name {
	case "pure":
		return Pure{}, nil
	case "memory":
		return Memory(), nil
	case "maildir":
		return Maildir(), nil
	case "dovecot":
		return Dovecot(), nil
	case "doveadm":
		return Doveadm(), nil
	}
	var names []string
	for _, k := range Known {
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("unknown engine %.40q; known are %s", name, strings.Join(names, ", "))
}

// Close ends an engine that has something to end.
func Close(e Engine) error {
	if c, ok := e.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
