package main

import (
	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
)

// logLimits reads how much history the change log keeps.
func logLimits(set *config.Set, b *engine.Options) error {
	if set.Said(config.LogMaxAge) {
		text := set.Get(config.LogMaxAge)
		b.LogAge = -1
		if text != "0" {
			age, err := argument.Age(text)
			if err != nil {
				return blame(set, config.LogMaxAge, err)
			}
			b.LogAge = age
		}
	}
	if set.Said(config.LogMaxBytes) {
		size, err := argument.Size(set.Get(config.LogMaxBytes))
		if err != nil {
			return blame(set, config.LogMaxBytes, err)
		}
		if b.LogBytes = size; size == 0 {
			b.LogBytes = -1
		}
	}
	return nil
}
