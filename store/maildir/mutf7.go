package maildir

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Modified UTF-7 (RFC 3501 §5.1.3): printable ASCII stands for itself, "&-" for
// "&", and everything else is UTF-16 in base64 (with "," for "/") between "&"
// and "-". A text has exactly one right encoding; decodeMUTF7 takes no other, so
// that a name on disk and a mailbox name stand for each other both ways.

var errMUTF7 = errors.New("not modified UTF-7")

var mutf7Base64 = base64.NewEncoding(
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding).Strict()

func plainMUTF7(c byte) bool { return 0x20 <= c && c <= 0x7e }

// encodeMUTF7 encodes valid UTF-8.
func encodeMUTF7(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if c := s[i]; plainMUTF7(c) {
			b.WriteByte(c)
			if c == '&' {
				b.WriteByte('-')
			}
			i++
			continue
		}
		start := i
		for i < len(s) && !plainMUTF7(s[i]) {
			i++
		}
		units := utf16.Encode([]rune(s[start:i]))
		raw := make([]byte, 0, 2*len(units))
		for _, u := range units {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteByte('&')
		b.WriteString(mutf7Base64.EncodeToString(raw))
		b.WriteByte('-')
	}
	return b.String()
}

// decodeMUTF7 decodes strictly: whatever it accepts, encodeMUTF7 gives back
// byte for byte.
func decodeMUTF7(s string) (string, error) {
	plain := true
	for i := 0; i < len(s); i++ {
		if !plainMUTF7(s[i]) {
			return "", errMUTF7
		}
		plain = plain && s[i] != '&'
	}
	if plain {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '&' {
			b.WriteByte(s[i])
			continue
		}
		end := strings.IndexByte(s[i:], '-')
		if end < 0 {
			return "", errMUTF7
		}
		run := s[i+1 : i+end]
		i += end
		if run == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := mutf7Base64.DecodeString(run)
		if err != nil || len(raw)%2 != 0 {
			return "", errMUTF7
		}
		units := make([]uint16, len(raw)/2)
		for k := range units {
			units[k] = uint16(raw[2*k])<<8 | uint16(raw[2*k+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	// One comparison stands for every rule about what must or must not be encoded
	// (lone surrogates, adjacent runs, encoded ASCII, spare bits).
	out := b.String()
	if !utf8.ValidString(out) || encodeMUTF7(out) != s {
		return "", errMUTF7
	}
	return out, nil
}
