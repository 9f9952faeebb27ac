package logdb

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"dsync/changelog"
	"dsync/changelog/pack"
)

// MaxValue is the most that one value may take, in bytes, frame included. A batch
// that holds a longer one is refused as a whole.
const MaxValue = 16 << 20

const frameLen = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of a value under its key: a value that stands under another
// key than it was written to is damaged too.
func sum(key, payload []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, payload)
}

// unframe gives the payload of a value, checked.
func unframe(key, val []byte) ([]byte, error) {
	if len(val) < frameLen || len(val) > MaxValue {
		return nil, damaged(key, "%d bytes long", len(val))
	}
	p := val[frameLen:]
	if binary.BigEndian.Uint32(val) != sum(key, p) {
		return nil, damaged(key, "wrong checksum")
	}
	return p, nil
}

// seal fills in the frame of a value whose first bytes were left for it.
func seal(key, val []byte) { binary.BigEndian.PutUint32(val, sum(key, val[frameLen:])) }

func damaged(key []byte, format string, args ...any) *changelog.CorruptError {
	return &changelog.CorruptError{What: "record " + keyName(key), Offset: -1, Reason: fmt.Sprintf(format, args...)}
}

// within names the key in an error of the payload's decoder.
func within(key []byte, err error) error {
	if c, ok := err.(*pack.CorruptError); ok {
		return &changelog.CorruptError{What: c.What + " in record " + keyName(key), Offset: c.Offset, Reason: c.Reason}
	}
	return err
}

// keyName writes a key for people: account, family, rest in hexadecimal.
func keyName(key []byte) string {
	if len(key) < prefixLen {
		return fmt.Sprintf("%x", key)
	}
	return fmt.Sprintf("%x/%c/%x", binary.BigEndian.Uint64(key), key[accountLen], key[prefixLen:])
}
