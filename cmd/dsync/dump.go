package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/listing"
	"dsync/store"
)

func runDump(ctx context.Context, p *program, c *call) (int, error) {
	r, err := startLook(p, c)
	if err != nil {
		return 0, err
	}
	names, err := r.wanted()
	if err != nil {
		return 0, err
	}
	s, err := r.open(0)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	o := listing.Options{JSON: r.json, Uses: r.uses}
	if names != nil {
		o.Wanted = func(n store.Name) bool { return slices.Contains(names, n) }
	}
	log, err := p.calls.modSeqs(ctx, r.logOptions(0, nil))
	switch {
	case errors.Is(err, store.ErrBusy):
		p.msg.printf(engine.Warning, "modseqs are left out: %v", err)
	case err != nil:
		return 0, err
	case log != nil:
		defer log.Close()
		o.Log = log
	}
	out := &spool{}
	defer out.Close()
	res, err := listing.Dump(ctx, out, s, o)
	if err != nil {
		return 0, tooLate(ctx, err)
	}
	if res.Mailboxes == 0 && len(r.mailboxes) > 0 {
		return 0, engine.Fail(engine.ExitNoMailbox, errors.New("no mailbox fits -m "+strings.Join(r.mailboxes, ", ")))
	}
	exit := r.unsure(res.Skipped, res.Unstable)
	return exit, p.printSpool(out)
}
