package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"dsync/cmd/internal/remote"
	"dsync/replay/wire"
)

// bindingLabel names what ties a login to a TLS connection (RFC 5705).
const bindingLabel = "EXPORTER-dsync-login-1"

// maxPEM bounds a file of certificates or a key, in bytes.
const maxPEM = 4 << 20

// FarTLS is the configuration of an end that listens. With a ca, near ends must show a
// certificate that one of its authorities signed.
func FarTLS(cert, key, ca string) (*tls.Config, error) {
	pair, err := keyPair(cert, key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true}
	if ca != "" {
		if c.ClientCAs, err = authorities(ca); err != nil {
			return nil, err
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// NearTLS is the configuration of an end that connects. Without ca the system's
// authorities are trusted; cert and key may be "".
func NearTLS(cert, key, ca string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if ca != "" {
		if c.RootCAs, err = authorities(ca); err != nil {
			return nil, err
		}
	}
	if cert != "" || key != "" {
		pair, err := keyPair(cert, key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func keyPair(cert, key string) (tls.Certificate, error) {
	if cert == "" || key == "" {
		return tls.Certificate{}, fmt.Errorf("a certificate and its key belong together: one of the two is not said")
	}
	info, err := os.Stat(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if info.Mode()&0o007 != 0 {
		return tls.Certificate{}, fmt.Errorf("%s may be read or written by all (mode %04o): chmod 600 it", key, info.Mode().Perm())
	}
	certPEM, err := readPEM(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, err := readPEM(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return pair, fmt.Errorf("%s and %s: %w", cert, key, err)
	}
	return pair, nil
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}

func readPEM(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPEM {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", file, maxPEM)
	}
	return os.ReadFile(file)
}

// binding gives what ties a login to the connection; nil for a plain one.
func binding(c net.Conn) ([]byte, error) {
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	s := t.ConnectionState()
	b, err := s.ExportKeyingMaterial(bindingLabel, nil, 32)
	if err != nil {
		return nil, fmt.Errorf("tie the login to the connection: %w", err)
	}
	return b, nil
}

// certNames are the names of a guest's certificate; of none, nil.
func certNames(c net.Conn) []string {
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil
	}
	certs := t.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return nil
	}
	leaf := certs[0]
	out := append([]string(nil), leaf.DNSNames...)
	out = append(out, leaf.EmailAddresses...)
	if cn := leaf.Subject.CommonName; cn != "" {
		out = append(out, cn)
	}
	if len(out) == 0 { // known, but by no name: rules for "*" hold
		out = []string{leaf.SerialNumber.String()}
	}
	return out
}

// ErrPlain: plain tcp would be spoken to another host.
var ErrPlain = errors.New("plain tcp neither hides nor protects mail: write tcps:, or allow it with connect.plain")

// Caller connects to ends that listen.
type Caller struct {
	TLS    *tls.Config   // of tcps:
	Secret remote.Secret // the zero value: none
	Plain  bool          // plain tcp is allowed outside of loopback
	Wire   wire.Options
}

// Call makes a link to a server and says who this end is.
func (c *Caller) Call(ctx context.Context, address string, secure bool) (*remote.Link, error) {
	o := c.Wire
	var tie []byte
	dress := func(ctx context.Context, plain net.Conn) (net.Conn, error) {
		if !secure {
			if !c.Plain && !Loopback(plain.RemoteAddr()) {
				return nil, ErrPlain
			}
			return plain, nil
		}
		config := c.TLS.Clone()
		config.ServerName, _, _ = net.SplitHostPort(address)
		t := tls.Client(plain, config)
		err := t.HandshakeContext(ctx)
		if err == nil {
			tie, err = binding(t)
		}
		return t, err
	}
	o.Unknown = !secure && c.Secret.Known()
	l, err := remote.Dial(ctx, address, dress, o)
	if err != nil || !c.Secret.Known() {
		return l, err
	}
	if err := l.Login(ctx, c.Secret, tie); err != nil {
		l.Fail(codeTemp, err.Error())
		return nil, err
	}
	return l, nil
}

// Loopback reports whether an address is of this host alone.
func Loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// Refused reports whether an error is that one of the two ends does not believe the
// other, which trying again does not mend.
func Refused(err error) bool {
	return errors.Is(err, remote.ErrLogin) || errors.As(err, new(*tls.CertificateVerificationError)) || remote.Alert(err)
}
