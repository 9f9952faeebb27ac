package main

import (
	"testing"
	"time"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
)

func TestLogLimits(t *testing.T) {
	for _, c := range []struct {
		set   []string
		age   time.Duration
		bytes int64
	}{
		{set: nil},
		{set: []string{"log_max_age=30days", "log_max_bytes=10M"}, age: 30 * 24 * time.Hour, bytes: 10 << 20},
		{set: []string{"log_max_age=0", "log_max_bytes=0"}, age: -1, bytes: -1},
		{set: []string{"log_max_age=", "log_max_bytes="}},
	} {
		s := &config.Set{}
		for _, o := range c.set {
			if err := s.Put(o); err != nil {
				t.Fatal(err)
			}
		}
		var o engine.Options
		err := logLimits(s, &o)
		if err != nil || o.LogAge != c.age || o.LogBytes != c.bytes {
			t.Errorf("%q: %v, %d, %v", c.set, o.LogAge, o.LogBytes, err)
		}
	}
}
