package remote

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Secret is a name, and what only the two ends know of it. The zero value is none.
type Secret struct {
	Name string
	Key  []byte
}

// Known reports whether there is one.
func (s Secret) Known() bool { return s.Name != "" }

// ErrLogin: who the other end is was not shown, or it is not let in.
var ErrLogin = errors.New("the login is not good")

const (
	nonceLen = 32
	// MaxLoginName bounds the name of a secret, in bytes.
	MaxLoginName = 255
)

// The login. A binding ties it to this one connection: over TLS a value that both
// ends get from the handshake and that no other connection has, so that nothing is
// waited for; over a plain stream 32 random bytes of the far end's, sent at once. The
// near end adds 32 of its own. Each shows that it knows the secret by an HMAC-SHA256
// over all of that, never by the secret; so what was listened to opens no other
// connection, and a far end that does not know the secret is found out before anything
// that it says counts.
type challenge struct {
	Nonce []byte `json:"nonce"`
}

type login struct {
	Name  string `json:"name"`
	Nonce []byte `json:"nonce"`
	Proof []byte `json:"proof"`
}

type greeting struct {
	Proof []byte `json:"proof"`
}

// proof is what one end ("near" or "far") shows.
func proof(s Secret, end string, binding, nonce []byte) []byte {
	h := hmac.New(sha256.New, s.Key)
	for _, part := range [][]byte{[]byte("dsync login 1"), []byte(end), []byte(s.Name), binding, nonce} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// Login says who this end is, which is the near one. binding is nil over a plain
// stream. It does not wait for the answer over TLS: what the far end says is refused
// until it has shown that it knows the secret.
func (l *Link) Login(ctx context.Context, s Secret, binding []byte) error {
	if binding == nil {
		var c challenge
		if err := l.Take(ctx, KindChallenge, &c); err != nil {
			return err
		}
		if len(c.Nonce) != nonceLen {
			return fmt.Errorf("%s: %w: a challenge of %d bytes", l.Name, ErrUnexpected, len(c.Nonce))
		}
		binding = c.Nonce
	}
	nonce := random()
	l.greeting = proof(s, "far", binding, nonce)
	return l.Put(ctx, KindLogin, login{s.Name, nonce, proof(s, "near", binding, nonce)})
}

// greeted checks the far end's answer to Login.
func (l *Link) greeted(b []byte) error {
	var g greeting
	err := decode(b, &g)
	if err != nil || !hmac.Equal(g.Proof, l.greeting) {
		return fmt.Errorf("%s: %w: the far end does not know the secret", l.Name, ErrLogin)
	}
	l.greeting = nil
	l.c.Trust()
	return nil
}

// Admit waits for a login and lets the near end in, or not: of whom gives a name's
// secret, the zero value if there is none. What is wrong with a login is not told.
func (l *Link) Admit(ctx context.Context, of func(name string) Secret, binding []byte) (name string, err error) {
	if binding == nil {
		binding = random()
		if err := l.Put(ctx, KindChallenge, challenge{binding}); err != nil {
			return "", err
		}
	}
	var in login
	if err := l.Take(ctx, KindLogin, &in); err != nil {
		return "", err
	}
	s := of(in.Name)
	if !s.Known() { // as long as with one
		s = Secret{in.Name, random()}
	}
	if len(in.Name) > MaxLoginName || len(in.Nonce) != nonceLen || !hmac.Equal(in.Proof, proof(s, "near", binding, in.Nonce)) {
		return "", fmt.Errorf("%w (name %.40q)", ErrLogin, in.Name)
	}
	l.c.Trust()
	return in.Name, l.Put(ctx, KindGreet, greeting{proof(s, "far", binding, in.Nonce)})
}

func random() []byte {
	b := make([]byte, nonceLen)
	rand.Read(b)
	return b
}
