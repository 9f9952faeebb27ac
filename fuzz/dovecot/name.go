package dovecot

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// mutf7 is RFC 3501's modified base64: "," for "/", no padding.
var mutf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// EncodeName writes a UTF-8 mailbox name in modified UTF-7.
func EncodeName(name string) string {
	var out strings.Builder
	var pending []rune
	flush := func() {
		if len(pending) == 0 {
			return
		}
		raw := make([]byte, 0, 2*len(pending))
		for _, u := range utf16.Encode(pending) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		out.WriteString("&" + mutf7.EncodeToString(raw) + "-")
		pending = pending[:0]
	}
	for _, r := range name {
		switch {
		case r == '&':
			flush()
			out.WriteString("&-")
		case r >= 0x20 && r < 0x7f:
			flush()
			out.WriteRune(r)
		default:
			pending = append(pending, r)
		}
	}
	flush()
	return out.String()
}

// DecodeName reads a name in modified UTF-7.
func DecodeName(name string) (string, error) {
	var out strings.Builder
	for rest := name; rest != ""; {
		plain, after, shifted := strings.Cut(rest, "&")
		out.WriteString(plain)
		if !shifted {
			break
		}
		code, tail, closed := strings.Cut(after, "-")
		if !closed {
			return "", fmt.Errorf("dovecot: unterminated shift in name %q", name)
		}
		text, err := decodeShift(code)
		if err != nil {
			return "", fmt.Errorf("dovecot: decode name %q: %w", name, err)
		}
		out.WriteString(text)
		rest = tail
	}
	return out.String(), nil
}

func decodeShift(code string) (string, error) {
	if code == "" {
		return "&", nil
	}
	raw, err := mutf7.DecodeString(code)
	if err != nil || len(raw)%2 != 0 {
		return "", fmt.Errorf("bad base64 %q", code)
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	text := string(utf16.Decode(units))
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", fmt.Errorf("unpaired surrogate in %q", code)
	}
	return text, nil
}
