package main

import (
	"context"
	"fmt"

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
	res, err := listing.Compare(ctx, s[0], s[1], !r.noBodies, func(d listing.Difference) error {
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
