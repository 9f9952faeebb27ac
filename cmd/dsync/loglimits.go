package main

import (
	"dsync/cmd/internal/argument"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/settings"
)

// logLimits reads how much history the change log keeps.
func (r *syncRun) logLimits(b *engine.Options) error {
	if text, ok := r.set.Get(settings.LogMaxAge); ok && text != "" {
		b.LogAge = -1
		if text != "0" {
			age, err := argument.Age(text)
			if err != nil {
				return blame(r.set, settings.LogMaxAge, err)
			}
			b.LogAge = age
		}
	}
	if text, ok := r.set.Get(settings.LogMaxBytes); ok && text != "" {
		size, err := argument.Size(text)
		if err != nil {
			return blame(r.set, settings.LogMaxBytes, err)
		}
		if b.LogBytes = size; size == 0 {
			b.LogBytes = -1
		}
	}
	return nil
}
