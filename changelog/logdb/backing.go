package logdb

import (
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// backing is the ordered map of bytes that a log is kept in: a Pebble database, or
// a Disk in memory. Both keep the same contract: a batch is applied as a whole, in
// the order of apply; one with sync is durable when apply returns, and so is every
// one before; a crash leaves a prefix of the batches. Batches are Pebble's own in
// both, which costs the usual backing nothing.
type backing interface {
	// get gives the value under key, which is valid until the closer is closed, or
	// errAbsent.
	get(key []byte) ([]byte, io.Closer, error)
	// iter walks the keys from lower on and below upper (nil: no bound), as they
	// stand now, whatever is applied meanwhile.
	iter(lower, upper []byte) (cursor, error)
	newBatch() *pebble.Batch
	// apply makes a batch true; with sync, also an empty one makes all before it
	// durable. A failure ends the database: see DB.recoverFatal.
	apply(b *pebble.Batch, sync bool) error
	flush() error
	// settled reports whether no work of its own is under way or waiting.
	settled() bool
	// compact gives back the space of deleted keys of a range.
	compact(lo, hi []byte) error
	// size is about how many bytes a range takes on the disk.
	size(lo, hi []byte) (uint64, error)
	// close gives everything back, the lock included. What was applied is durable
	// then, unless the database is dead.
	close(dead bool) error
}

// cursor walks the keys of a range in order. Its methods are those of
// pebble.Iterator: keys and values are valid until the next move.
type cursor interface {
	First() bool
	Last() bool
	Next() bool
	SeekGE(key []byte) bool
	SeekLT(key []byte) bool
	Key() []byte
	ValueAndErr() ([]byte, error)
	Error() error
	Close() error
}

// errAbsent is what get says of a key that is not there.
var errAbsent = pebble.ErrNotFound
