package logdb

import (
	"bytes"
	"slices"
	"sort"
)

// A sorted is an ordered map of bytes that never changes: an edit gives another,
// which shares with it what is equal. It is a tree whose leaves hold the keys; nil
// is the empty one. Leaves and inner nodes that become empty go, others are not
// joined again: few keys leave a log that do not leave in ranges.
type sorted struct {
	made uint64   // by which edit
	keys [][]byte // of a leaf: its keys; else kids[i] begins at keys[i] (keys[0] is not looked at)
	vals [][]byte // of a leaf
	kids []*sorted
}

// maxKeys is how many keys or kids a node has at most.
const maxKeys = 32

// child is where key stands, if it does.
func (n *sorted) child(key []byte) int {
	return sort.Search(len(n.kids)-1, func(i int) bool { return bytes.Compare(n.keys[i+1], key) > 0 })
}

// at is the first place in a leaf whose key is not below key.
func (n *sorted) at(key []byte) (int, bool) {
	return slices.BinarySearchFunc(n.keys, key, bytes.Compare)
}

func (n *sorted) get(key []byte) ([]byte, bool) {
	if n == nil {
		return nil, false
	}
	for n.kids != nil {
		n = n.kids[n.child(key)]
	}
	i, ok := n.at(key)
	if !ok {
		return nil, false
	}
	return n.vals[i], true
}

// edit makes one map out of another: what it has made itself it changes in place.
// Keys and values handed in are kept and must not change.
type edit struct {
	made uint64 // above that of every node met
	root *sorted
}

func (e *edit) own(n *sorted) *sorted {
	if n.made == e.made {
		return n
	}
	c := &sorted{made: e.made, keys: grown(n.keys)}
	if n.kids != nil {
		c.kids = grown(n.kids)
	} else {
		c.vals = grown(n.vals)
	}
	return c
}

// grown copies a list with room for one more.
func grown[T any](s []T) []T { return append(make([]T, 0, len(s)+1), s...) }

func (e *edit) set(key, val []byte) {
	if e.root == nil {
		e.root = &sorted{made: e.made, keys: [][]byte{key}, vals: [][]byte{val}}
		return
	}
	left, right, at := e.insert(e.root, key, val)
	if e.root = left; right != nil {
		e.root = &sorted{made: e.made, keys: [][]byte{nil, at}, kids: []*sorted{left, right}}
	}
}

// insert gives the node with the key in it, and its right half with the first key
// there if it had to be split.
func (e *edit) insert(n *sorted, key, val []byte) (left, right *sorted, at []byte) {
	n = e.own(n)
	if n.kids == nil {
		i, ok := n.at(key)
		if ok {
			n.vals[i] = val
			return n, nil, nil
		}
		n.keys, n.vals = slices.Insert(n.keys, i, key), slices.Insert(n.vals, i, val)
	} else {
		i := n.child(key)
		kid, next, first := e.insert(n.kids[i], key, val)
		if n.kids[i] = kid; next != nil {
			n.keys, n.kids = slices.Insert(n.keys, i+1, first), slices.Insert(n.kids, i+1, next)
		}
	}
	if len(n.keys) <= maxKeys {
		return n, nil, nil
	}
	// Keys often come in order: then full nodes are left behind.
	h := len(n.keys) / 2
	if n.kids == nil && bytes.Equal(n.keys[len(n.keys)-1], key) {
		h = len(n.keys) - 1
	}
	right = &sorted{made: e.made, keys: slices.Clone(n.keys[h:])}
	if n.kids != nil {
		right.kids, n.kids = slices.Clone(n.kids[h:]), slices.Delete(n.kids, h, len(n.kids))
	} else {
		right.vals, n.vals = slices.Clone(n.vals[h:]), slices.Delete(n.vals, h, len(n.vals))
	}
	n.keys = slices.Delete(n.keys, h, len(n.keys))
	return n, right, right.keys[0]
}

// remove takes a key out; one that is not there costs nothing.
func (e *edit) remove(key []byte) {
	if _, ok := e.root.get(key); ok {
		e.root = e.without(e.root, key)
		for e.root != nil && len(e.root.kids) == 1 {
			e.root = e.root.kids[0]
		}
	}
}

// without gives the node without a key that it holds; nil if nothing is left.
func (e *edit) without(n *sorted, key []byte) *sorted {
	n = e.own(n)
	if n.kids == nil {
		i, _ := n.at(key)
		n.keys, n.vals = slices.Delete(n.keys, i, i+1), slices.Delete(n.vals, i, i+1)
	} else {
		i := n.child(key)
		if kid := e.without(n.kids[i], key); kid != nil {
			n.kids[i] = kid
		} else {
			n.keys, n.kids = slices.Delete(n.keys, i, i+1), slices.Delete(n.kids, i, i+1)
		}
	}
	if len(n.keys) == 0 {
		return nil
	}
	return n
}

// removeRange takes out the keys from lo on and below hi.
func (e *edit) removeRange(lo, hi []byte) {
	var keys [][]byte
	c := walk{root: e.root, lower: lo, upper: hi}
	for ok := c.First(); ok; ok = c.Next() {
		keys = append(keys, c.Key())
	}
	for _, k := range keys {
		e.remove(k)
	}
}

// walk is a cursor over a sorted. Its keys and values stay valid, and must not be
// changed.
type walk struct {
	root         *sorted
	lower, upper []byte
	path         []place // from the root to a leaf; empty: nowhere
	room         [6]place
}

type place struct {
	n *sorted
	i int
}

// First is part of cursor.
func (w *walk) First() bool { return w.SeekGE(w.lower) }

// Last is part of cursor.
func (w *walk) Last() bool { return w.seekLT(w.upper) }

// SeekGE is part of cursor.
func (w *walk) SeekGE(key []byte) bool {
	if bytes.Compare(key, w.lower) < 0 {
		key = w.lower
	}
	w.down(key)
	if w.path == nil {
		return false
	}
	l := &w.path[len(w.path)-1]
	l.i, _ = l.n.at(key)
	return w.forward()
}

// SeekLT is part of cursor.
func (w *walk) SeekLT(key []byte) bool {
	if w.upper != nil && bytes.Compare(key, w.upper) > 0 {
		key = w.upper
	}
	return w.seekLT(key)
}

// seekLT goes to the last key below key, or of all if it is nil.
func (w *walk) seekLT(key []byte) bool {
	w.path = w.room[:0]
	for n := w.root; n != nil; {
		i := len(n.keys) - 1
		switch {
		case key == nil:
		case n.kids != nil:
			i = n.child(key)
		default:
			i, _ = n.at(key)
			i--
		}
		w.path = append(w.path, place{n, i})
		if n.kids == nil {
			break
		}
		n = n.kids[i]
	}
	// A leaf whose keys are all as high: the last one of the leaf before.
	for len(w.path) > 0 && w.path[len(w.path)-1].i < 0 {
		w.path = w.path[:len(w.path)-1]
		for len(w.path) > 0 {
			p := &w.path[len(w.path)-1]
			if p.i--; p.i >= 0 {
				w.rightmost(p.n.kids[p.i])
				break
			}
			w.path = w.path[:len(w.path)-1]
		}
	}
	if len(w.path) == 0 || bytes.Compare(w.Key(), w.lower) < 0 {
		w.path = nil
		return false
	}
	return true
}

func (w *walk) rightmost(n *sorted) {
	for {
		w.path = append(w.path, place{n, len(n.keys) - 1})
		if n.kids == nil {
			return
		}
		n = n.kids[len(n.kids)-1]
	}
}

// down goes to the leaf where key stands, if it does.
func (w *walk) down(key []byte) {
	if w.path = nil; w.root == nil {
		return
	}
	w.path = w.room[:0]
	n := w.root
	for n.kids != nil {
		i := n.child(key)
		w.path = append(w.path, place{n, i})
		n = n.kids[i]
	}
	w.path = append(w.path, place{n, 0})
}

// Next is part of cursor.
func (w *walk) Next() bool {
	if len(w.path) == 0 {
		return false
	}
	w.path[len(w.path)-1].i++
	return w.forward()
}

// forward goes on from a place behind the end of its leaf, and looks at the bound.
func (w *walk) forward() bool {
	for {
		p := &w.path[len(w.path)-1]
		switch {
		case p.i >= len(p.n.keys):
			if w.path = w.path[:len(w.path)-1]; len(w.path) == 0 {
				return false
			}
			w.path[len(w.path)-1].i++
		case p.n.kids != nil:
			w.path = append(w.path, place{p.n.kids[p.i], 0})
		case w.upper != nil && bytes.Compare(p.n.keys[p.i], w.upper) >= 0:
			w.path = nil
			return false
		default:
			return true
		}
	}
}

// Key is part of cursor.
func (w *walk) Key() []byte {
	p := w.path[len(w.path)-1]
	return p.n.keys[p.i]
}

// ValueAndErr is part of cursor.
func (w *walk) ValueAndErr() ([]byte, error) {
	p := w.path[len(w.path)-1]
	return p.n.vals[p.i], nil
}

// Error is part of cursor.
func (w *walk) Error() error { return nil }

// Close is part of cursor.
func (w *walk) Close() error { return nil }
