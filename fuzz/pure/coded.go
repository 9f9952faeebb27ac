package pure

import (
	"fmt"

	"dsync/merge"
	"dsync/replay/session"
)

// bothCoded gives two sides as they are once they went over a wire: R1 and P5 together
// say that a merge of what came is the merge of what was sent.
func bothCoded(a, b merge.Side) (merge.Side, merge.Side, error) {
	x, err := coded(a)
	if err != nil {
		return a, b, err
	}
	y, err := coded(b)
	return x, y, err
}

func coded(s merge.Side) (merge.Side, error) {
	f, err := session.Decode((&session.Frame{Kind: session.KindDelta, Delta: &session.Delta{Tree: s.Tree, Messages: s.Messages}}).Encode())
	if err != nil {
		return s, fmt.Errorf("R1: a side does not come through the frames: %w", err)
	}
	s.Tree, s.Messages, s.Layout = f.Delta.Tree, f.Delta.Messages, nil
	return s, nil
}
