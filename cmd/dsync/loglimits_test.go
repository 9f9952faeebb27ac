package main

import (
	"testing"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/settings"
)

func TestLogLimits(t *testing.T) {
	for _, c := range []struct {
		set   []string
		age   time.Duration
		bytes int64
		bad   bool
	}{
		{set: nil},
		{set: []string{"log_max_age=30days", "log_max_bytes=10M"}, age: 30 * 24 * time.Hour, bytes: 10 << 20},
		{set: []string{"log_max_age=0", "log_max_bytes=0"}, age: -1, bytes: -1},
		{set: []string{"log_max_age=", "log_max_bytes="}},
		{set: []string{"log_max_age=long"}, bad: true},
		{set: []string{"log_max_bytes=10 sheep"}, bad: true},
	} {
		s := &settings.Set{}
		for _, o := range c.set {
			if err := s.Put(o); err != nil {
				t.Fatal(err)
			}
		}
		var o engine.Options
		err := (&syncRun{set: s}).logLimits(&o)
		if (err != nil) != c.bad || err == nil && (o.LogAge != c.age || o.LogBytes != c.bytes) {
			t.Errorf("%q: %v, %d, %v", c.set, o.LogAge, o.LogBytes, err)
		}
		if err != nil && exitOf(err) != engine.ExitUsage {
			t.Errorf("%q: exit %d", c.set, exitOf(err))
		}
	}
}
