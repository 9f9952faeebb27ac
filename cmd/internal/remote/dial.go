package remote

import (
	"context"
	"fmt"
	"net"
	"time"

	"dsync/replay/wire"
)

// dialTime bounds how long a connection may take to be made.
const dialTime = 30 * time.Second

// Dial makes a link to a server on the network. secure, if not nil, makes the stream
// secure before anything is said.
func Dial(ctx context.Context, address string, secure func(context.Context, net.Conn) (net.Conn, error), o wire.Options) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		s, err := secure(ctx, c)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("%s: %w", address, err)
		}
		c = s
	}
	o.Starter = true
	return New(c, address, o), nil
}
