package maildir

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dsync/store"
)

// dsync-attributes holds the attributes of a mailbox or of the account:
//
//	dsync-attributes 1
//	"key"<TAB>"value"
//	sum <16 hex digits: XXH64 of everything before this line>
//
// Keys and values are quoted as in Go, one pair a line, sorted by key, no key
// twice, none with an empty value. There is one encoding; a file that is not it
// is damaged.

const (
	attributesHeader  = "dsync-attributes 1\n"
	maxAttributesFile = 4 << 20
)

func encodeAttributes(m map[string]string) []byte {
	var b bytes.Buffer
	b.WriteString(attributesHeader)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] != "" {
			fmt.Fprintf(&b, "%s\t%s\n", strconv.QuoteToASCII(k), strconv.QuoteToASCII(m[k]))
		}
	}
	return appendSum(b.Bytes())
}

// appendSum closes one of our small files with its checksum.
func appendSum(b []byte) []byte {
	return fmt.Appendf(b, "sum %016x\n", xxhash.Sum64(b))
}

// checkSum cuts the checksum off; ok is false if it is missing or wrong.
func checkSum(data []byte) (body []byte, ok bool) {
	const n = len("sum 0123456789abcdef\n")
	if len(data) < n {
		return nil, false
	}
	body = data[:len(data)-n]
	return body, bytes.Equal(appendSum(slices.Clip(body)), data)
}

func decodeAttributes(data []byte) (map[string]string, error) {
	if len(data) == 0 {
		return nil, nil
	}
	body, ok := checkSum(data)
	rest, found := strings.CutPrefix(string(body), attributesHeader)
	if !ok || !found {
		return nil, fmt.Errorf("dsync-attributes: %w: header or checksum", store.ErrDamaged)
	}
	m := map[string]string{}
	for line := range strings.Lines(rest) {
		qk, qv, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		k, err1 := strconv.Unquote(qk)
		v, err2 := strconv.Unquote(qv)
		if err1 != nil || err2 != nil || v == "" {
			return nil, fmt.Errorf("dsync-attributes: %w: line %.60q", store.ErrDamaged, line)
		}
		m[k] = v
	}
	if !bytes.Equal(encodeAttributes(m), data) {
		return nil, fmt.Errorf("dsync-attributes: %w: not in canonical form", store.ErrDamaged)
	}
	return m, nil
}
