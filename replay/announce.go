package replay

import "dsync/changelog"

// announce tells a peer that is far away which bodies will be asked for.
func (p *Player) announce() error {
	w, ok := p.Peer.(Wanter)
	if !ok {
		return nil
	}
	var ids []changelog.Dot
	for _, b := range p.Plan.Boxes {
		if p.bad[b] {
			continue
		}
		known, err := p.known(b.Adds)
		if err != nil {
			return err
		}
		for _, it := range b.Adds {
			if !known[it.Out.Content.GUID] {
				ids = append(ids, it.Out.Origins[0].Dot)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return w.Want(ids)
}
