package session

import (
	"dsync/changelog"
	"dsync/changelog/pack"
	"dsync/merge"
	"dsync/store"
)

// EncodeDecision writes a decision for the log; DecodeDecision reads it back.
func EncodeDecision(d *merge.Decision) []byte {
	b := pack.Uint(pack.Array(nil, 10), 1)
	b = pack.String(pack.Uint(b, uint64(d.Rule)), d.Name)
	b = pack.Bytes(b, changelog.AppendDot(nil, d.Message))
	b = pack.String(pack.String(b, d.Mailbox), d.GUID)
	b = pack.Uint(b, uint64(d.UID))
	return pack.String(pack.String(pack.String(b, d.Kept), d.Lost), d.Reason)
}

const maxText = 1 << 14

// DecodeDecision reads what EncodeDecision wrote.
func DecodeDecision(b []byte) (*merge.Decision, error) {
	r := pack.New(b, "decision")
	r.Fields(10)
	r.Version(1)
	d := &merge.Decision{Rule: int(r.Uint(1 << 16)), Name: r.String(maxText)}
	raw := r.Bytes(64)
	d.Mailbox, d.GUID = store.Name(r.String(maxText)), store.GUID(r.String(maxText))
	d.UID = store.UID(r.Uint32())
	d.Kept, d.Lost, d.Reason = r.String(maxText), r.String(maxText), r.String(maxText)
	if err := r.End(); err != nil {
		return nil, err
	}
	if dot, err := changelog.DecodeDot(raw); err == nil {
		d.Message = dot
	}
	return d, nil
}
