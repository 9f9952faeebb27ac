package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// What clients of the address may cost.
const (
	MaxClients = 16               // connections at once
	ClientTime = 10 * time.Second // for one connection, all in all
	MaxHeader  = 8 << 10          // bytes of a request
)

// Listen opens a local address, HOST:PORT.
func Listen(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s: want an address of this machine alone, like 127.0.0.1:9471 or [::1]:9471; it is not for others: there is no login", address)
	}
	return net.Listen("tcp", net.JoinHostPort(ip.String(), port))
}

// Page answers on a listener: /metrics and /healthz. Health is nil where all is well.
type Page struct {
	Metrics *Metrics
	Health  func() error

	server *http.Server
}

// Serve answers until Close.
func (p *Page) Serve(l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		p.Metrics.WriteTo(w)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := p.Health(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	s := &http.Server{
		Handler: mux, ReadHeaderTimeout: ClientTime / 2, ReadTimeout: ClientTime / 2, WriteTimeout: ClientTime / 2,
		MaxHeaderBytes: MaxHeader, ErrorLog: log.New(io.Discard, "", 0),
	}
	s.SetKeepAlivesEnabled(false)
	p.server = s
	go s.Serve(&few{Listener: l, places: make(chan struct{}, MaxClients)})
}

// Close ends answering; requests under way get a moment.
func (p *Page) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := p.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return p.server.Close()
}

// few accepts so many connections at once; one more is closed, so that who waits
// behind it gets an answer.
type few struct {
	net.Listener
	places chan struct{}
}

// Accept implements net.Listener.
func (f *few) Accept() (net.Conn, error) {
	for {
		c, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case f.places <- struct{}{}:
			return &placed{Conn: c, leave: sync.OnceFunc(func() { <-f.places })}, nil
		default:
			c.Close()
		}
	}
}

// placed gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}
