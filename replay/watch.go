package replay

import (
	"context"

	"dsync/store"
)

// maxEyed is the number of changes of one mailbox from which it is cheaper to list
// it again next time.
const maxEyed = 1500

// watch puts the mailboxes that are to be changed under watch, where the store can:
// those of which the last look was the whole truth and that stay where they are.
func (p *Player) watch(ctx context.Context) {
	w, ok := p.Store.(store.Watcher)
	if !ok || len(p.Plan.Left) > 0 {
		return
	}
	for _, b := range p.Plan.Boxes {
		n := len(b.Adds) + len(b.Moves) + len(b.Flags) + len(b.UIDs) + len(b.Expunges)
		if b.Was == nil || b.Node == nil || b.From != b.Path || n == 0 || n > maxEyed {
			continue
		}
		if row := p.row(b); row.Look.Print == nil || row.Look.Racy || w.Watch(ctx, b.Path, row.Look.Print) != nil {
			continue // it is listed next time, as ever
		}
		p.eyed[b] = true
	}
}

// still takes over the looks at mailboxes in which everything came to pass and
// nobody else changed anything.
func (p *Player) still(ctx context.Context) {
	w, _ := p.Store.(store.Watcher)
	for b := range p.eyed {
		if look, ok := w.Settled(ctx, b.Path); ok && !p.doubt[b] && !p.bad[b] {
			p.stills[b] = look
			p.dirty[b] = true
		}
	}
}
