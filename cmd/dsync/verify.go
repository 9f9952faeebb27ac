package main

import (
	"context"
	"fmt"
	"strings"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/listing"
	"dsync/store"
)

// jsonVerdict is the last line of verify --json.
type jsonVerdict struct {
	Exit        int  `json:"exit"`
	Equal       bool `json:"equal"`
	Differences int  `json:"differences"`
	Backup      int  `json:"backup"`
	Skipped     int  `json:"skipped"`
	Unstable    int  `json:"unstable"`
}

func runVerify(ctx context.Context, p *program, c *call) (int, error) {
	r, err := startLook(p, c)
	if err != nil {
		return 0, err
	}
	var s [2]store.Store
	for i := range s {
		if s[i], err = r.open(i); err != nil {
			return 0, err
		}
		defer s[i].Close()
	}
	out := &spool{}
	defer out.Close()
	res, err := listing.Compare(ctx, s[0], s[1], !r.noBodies, [2]listing.More{r.more(ctx, 0), r.more(ctx, 1)}, func(d listing.Difference) error {
		line := clean(d.String()) + "\n"
		if r.json {
			line = jsonLine("difference", d)
		}
		_, err := out.Write([]byte(line))
		return err
	})
	if err != nil {
		return 0, tooLate(ctx, err)
	}
	for _, h := range res.Held {
		p.msg.printf(engine.Warning, "%s: %q keeps no more keywords: %.200s (messages: %d) in the change log alone, which counts as equal",
			r.at[h.Side], string(h.Mailbox), strings.Join(h.Keywords, " "), h.Messages)
	}
	exit := r.unsure(res.Skipped, res.Unstable)
	different := res.Different
	if !r.backup {
		different += res.Backup
	}
	equal := different == 0 && exit == engine.ExitOK
	if different > 0 {
		exit = engine.Combine(exit, engine.ExitAgain)
	}
	if r.json {
		fmt.Fprint(out, jsonLine("result", jsonVerdict{
			exit, equal, res.Different, res.Backup, len(res.Skipped), len(res.Unstable),
		}))
	}
	return exit, p.printSpool(out)
}

// more asks the change log of one side, which is read when it is first asked.
func (r *lookRun) more(ctx context.Context, i int) listing.More {
	var of engine.Unshown
	return func(n store.Name, m *store.Message) ([]string, error) {
		if of == nil {
			var err error
			of, err = r.calls.unshown(ctx, r.logOptions(i, nil))
			if err != nil && ctx.Err() == nil {
				r.msg.printf(engine.Warning, "keywords that are in the change log alone are not known: %v", err)
				of, err = func(store.Name, store.UID, store.GUID) []string { return nil }, nil
			}
			if err != nil {
				return nil, ctx.Err()
			}
		}
		return of(n, m.UID, m.Content.GUID), nil
	}
}
