package remote

import (
	"encoding/json"
	"fmt"
)

// maxValue bounds what a value may take in memory, roughly: a list of nothings is
// short as JSON, and long once it is read.
const maxValue = 256 << 20

// decode reads JSON of the other end. It is refused before it is read if its values
// could take more than maxValue.
func decode(b []byte, v any) error {
	size := len(b)
	for _, c := range b {
		switch c {
		case '{', '[':
			size += 160
		case ',':
			size += 32
		}
	}
	if size > maxValue {
		return fmt.Errorf("%d bytes of JSON that would take more than %d bytes", len(b), maxValue)
	}
	return json.Unmarshal(b, v)
}
