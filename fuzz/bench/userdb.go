package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// A user database for "doveadm -A": the part of Dovecot's auth-master protocol that
// it speaks, over the socket that it looks for. So no server of Dovecot's need run.

// serveUsers answers on the socket until the listener is closed. Every user has the
// ids given, and a home directory of the user's name below root.
func serveUsers(socket, root string, users []string, id int) (net.Listener, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	known := map[string]bool{}
	for _, u := range users {
		known[u] = true
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c, users, func(u string) (string, bool) {
				return fmt.Sprintf("uid=%d\tgid=%d\thome=%s", id, id, filepath.Join(root, u)), known[u]
			})
		}
	}()
	return l, nil
}

func answer(c net.Conn, users []string, fields func(user string) (string, bool)) {
	defer c.Close()
	w := bufio.NewWriter(c)
	fmt.Fprintf(w, "VERSION\t1\t1\nSPID\t%d\n", os.Getpid())
	lines := bufio.NewScanner(c)
	for w.Flush() == nil && lines.Scan() {
		words := strings.Split(lines.Text(), "\t")
		switch {
		case words[0] == "LIST" && len(words) > 1:
			for _, u := range users {
				fmt.Fprintf(w, "LIST\t%s\t%s\n", words[1], u)
			}
			fmt.Fprintf(w, "DONE\t%s\n", words[1])
		case words[0] == "USER" && len(words) > 2:
			if f, ok := fields(words[2]); ok {
				fmt.Fprintf(w, "USER\t%s\t%s\t%s\n", words[1], words[2], f)
			} else {
				fmt.Fprintf(w, "NOTFOUND\t%s\n", words[1])
			}
		}
	}
}
