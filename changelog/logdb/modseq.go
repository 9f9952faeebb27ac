package logdb

import (
	"encoding/binary"

	"dsync/store"
)

// LastVanished gives the modseq at which UIDs of a mailbox last vanished; 0 if
// none did.
func (a *Account) LastVanished(g store.MailboxGUID) (store.ModSeq, error) {
	p := nodeKey(nil, a.id, famVanished, g)
	it, err := a.db.iter(p, after(p))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	if len(it.Key()) != prefixLen+guidLen+12 {
		return 0, damaged(it.Key(), "a key of %d bytes", len(it.Key()))
	}
	return store.ModSeq(binary.BigEndian.Uint64(it.Key()[prefixLen+guidLen:])), nil
}
