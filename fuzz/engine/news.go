package engine

import (
	"dsync/changelog"
	"dsync/replay/session"
)

// kindsOf gives the rows of the matrix of conflicts that an event is in.
func kindsOf(e *changelog.Event) string {
	switch b := e.Body.(type) {
	case changelog.Deliver:
		return "AP"
	case changelog.Copy:
		return "CP"
	case changelog.Move:
		return "MV"
	case changelog.Expunge:
		return "EX"
	case changelog.SetFlags:
		if b.Set != 0 {
			return "F+"
		}
		return "F-"
	case changelog.SetKeywords:
		return "KW"
	case changelog.CreateMailbox:
		return "CR"
	case changelog.RenameMailbox:
		return "RN"
	case changelog.DeleteMailbox:
		return "DL"
	case changelog.Subscribe:
		if b.On {
			return "SU"
		}
		return "US"
	case changelog.SetAttribute:
		return "MD"
	case changelog.ResetUIDs:
		return "UV"
	}
	return ""
}

// news gives the kinds of changes that each end has seen and the other has not.
func (w *sessions) news(ends [2]*replica, hello [2]*session.Hello) (out [2]map[string]bool) {
	for i, r := range ends {
		out[i] = map[string]bool{}
		acc, err := r.account()
		if err != nil || acc == nil {
			return out // the run will say so
		}
		acc.Events(r.told, func(seq uint64, _ int64, e *changelog.Event) error {
			r.told = seq + 1
			if _, known := w.kinds[e.Dot]; !known {
				w.kinds[e.Dot] = kindsOf(e)
			}
			return nil
		})
	}
	for i, h := range hello {
		news := h.Seen.Dots.Minus(&hello[1-i].Seen.Dots)
		news.Each(func(d changelog.Dot) bool {
			if k := w.kinds[d]; k != "" {
				out[i][k] = true
			}
			return true
		})
	}
	return out
}
