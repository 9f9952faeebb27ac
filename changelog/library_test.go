package changelog

import (
	"bytes"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// Every encoding is msgpack: the library reads it as one value, to its end, and
// writes that value as the same bytes.
func TestCodecIsMsgpack(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				b := c.append(nil, c.gen(t))
				r := bytes.NewReader(b)
				v, err := msgpack.NewDecoder(r).DecodeInterface()
				if err != nil || r.Len() > 0 {
					t.Fatalf("%x: %v, %d bytes left", b, err, r.Len())
				}
				var again bytes.Buffer
				e := msgpack.NewEncoder(&again)
				e.UseCompactInts(true)
				if err := e.Encode(v); err != nil || !bytes.Equal(again.Bytes(), b) {
					t.Fatalf("%x, the library writes %x, %v", b, again.Bytes(), err)
				}
			})
		})
	}
}
