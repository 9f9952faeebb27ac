package main

import (
	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
)

// logLimits reads how much history the change log keeps.
func (r *syncRun) logLimits(b *engine.Options) error {
	if r.set.Said(config.LogMaxAge) {
		text := r.set.Get(config.LogMaxAge)
		b.LogAge = -1
		if text != "0" {
			age, err := argument.Age(text)
			if err != nil {
				return blame(r.set, config.LogMaxAge, err)
			}
			b.LogAge = age
		}
	}
	if r.set.Said(config.LogMaxBytes) {
		size, err := argument.Size(r.set.Get(config.LogMaxBytes))
		if err != nil {
			return blame(r.set, config.LogMaxBytes, err)
		}
		if b.LogBytes = size; size == 0 {
			b.LogBytes = -1
		}
	}
	return nil
}
