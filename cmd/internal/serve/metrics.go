package serve

import (
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dsync/cmd/internal/engine"
)

// buckets are the upper bounds of the histogram of durations, in seconds.
var buckets = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}

// maxCounted is up to how many users are told apart.
const maxCounted = 1 << 20

// Metrics counts what runs came to. It may be used by several goroutines.
type Metrics struct {
	// Version is the program's; Guests counts what is under way for other processes.
	Version string
	Guests  func() int

	start time.Time
	seed  maphash.Seed

	mu        sync.Mutex
	users     map[uint64]struct{}
	runs      map[int]int64 // by exit status
	farEnds   map[int]int64
	below     []int64 // by bucket; the last: above all
	seconds   float64
	conflicts map[int]int64 // by rule
	did       [2]map[string]int64
	bytes     [2]int64
	skipped   int64
	again     int64
	reloads   [2]int64 // well, not well
}

// NewMetrics counts from zero.
func NewMetrics(version string, guests func() int) *Metrics {
	return &Metrics{Version: version, Guests: guests, start: time.Now(), seed: maphash.MakeSeed(), users: map[uint64]struct{}{},
		runs: map[int]int64{}, farEnds: map[int]int64{}, below: make([]int64, len(buckets)+1), conflicts: map[int]int64{},
		did: [2]map[string]int64{{}, {}}}
}

// Run counts a run that ended.
func (m *Metrics) Run(user string, rep *engine.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := maphash.String(m.seed, user); len(m.users) < maxCounted {
		m.users[h] = struct{}{}
	}
	m.runs[known(rep.Exit)]++
	secs := rep.Duration.Seconds()
	i, _ := slices.BinarySearch(buckets, secs)
	m.below[i]++
	m.seconds += secs
	for _, c := range rep.Conflicts {
		m.conflicts[c.Rule]++
	}
	m.skipped += int64(len(rep.Skipped))
	m.again += int64(len(rep.Again))
	for i, s := range rep.Sides {
		m.bytes[i] += s.Bytes
		for what, n := range map[string]int64{"copied": s.Copied, "moved": s.Moved, "expunged": s.Expunged, "flags": s.Flags, "renumbered": s.Renumbered} {
			m.did[i][what] += n
		}
	}
}

// FarEnd counts a far end that ended.
func (m *Metrics) FarEnd(exit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.farEnds[known(exit)]++
}

// Reload counts a reading of the configuration.
func (m *Metrics) Reload(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.reloads[1]++
	} else {
		m.reloads[0]++
	}
}

// known makes one status of all that cli.md does not have.
func known(exit int) int { return engine.Combine(exit) }

// failures counts the runs that did not come to an end that is good, or that the next
// run makes good.
func (m *Metrics) failures() (n int64) {
	for exit, k := range m.runs {
		if exit != engine.ExitOK && exit != engine.ExitAgain {
			n += k
		}
	}
	return n
}

// WriteTo writes all in Prometheus' text form.
func (m *Metrics) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, m.text())
	return int64(n), err
}

func (m *Metrics) text() string {
	guests := m.Guests()
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	one := func(name, kind, help string, value any) {
		head(&b, name, kind, help)
		fmt.Fprintf(&b, "%s %v\n", name, value)
	}
	head(&b, "dsync_build_info", "gauge", "The program.")
	fmt.Fprintf(&b, "dsync_build_info{version=%s} 1\n", strconv.Quote(m.Version))
	one("dsync_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", m.start.Unix())
	one("dsync_guests", "gauge", "Runs and far ends under way for other processes.", guests)
	one("dsync_users", "gauge", fmt.Sprintf("Users for whom runs were made, up to %d.", maxCounted), len(m.users))
	byNumber(&b, "dsync_runs_total", "exit", "Runs that ended, by exit status.", m.runs)
	one("dsync_failures_total", "counter", "Runs that ended with another status than 0 and 2.", m.failures())
	byNumber(&b, "dsync_far_ends_total", "exit", "Far ends that ended, by exit status.", m.farEnds)
	m.durations(&b)
	byNumber(&b, "dsync_conflicts_total", "rule", "Concurrent changes that a rule decided between.", m.conflicts)
	head(&b, "dsync_messages_total", "counter", "What was done to messages, at the near and the far side.")
	for i, side := range sides {
		for _, what := range slices.Sorted(maps.Keys(m.did[i])) {
			fmt.Fprintf(&b, "dsync_messages_total{side=%q,did=%q} %d\n", side, what, m.did[i][what])
		}
	}
	head(&b, "dsync_message_bytes_total", "counter", "Bytes of the messages copied to a side.")
	for i, side := range sides {
		fmt.Fprintf(&b, "dsync_message_bytes_total{side=%q} %d\n", side, m.bytes[i])
	}
	head(&b, "dsync_left_undone_total", "counter", "Items that need a person, and items that running again mends.")
	fmt.Fprintf(&b, "dsync_left_undone_total{mends=\"person\"} %d\ndsync_left_undone_total{mends=\"again\"} %d\n", m.skipped, m.again)
	head(&b, "dsync_reloads_total", "counter", "Readings of the configuration at SIGHUP.")
	fmt.Fprintf(&b, "dsync_reloads_total{well=\"true\"} %d\ndsync_reloads_total{well=\"false\"} %d\n", m.reloads[0], m.reloads[1])
	return b.String()
}

var sides = [2]string{"near", "far"}

func head(b *strings.Builder, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func byNumber(b *strings.Builder, name, label, help string, all map[int]int64) {
	head(b, name, "counter", help)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(b, "%s{%s=\"%d\"} %d\n", name, label, k, all[k])
	}
}

func (m *Metrics) durations(b *strings.Builder) {
	const name = "dsync_run_duration_seconds"
	head(b, name, "histogram", "How long runs took.")
	sum := int64(0)
	for i, le := range buckets {
		sum += m.below[i]
		fmt.Fprintf(b, "%s_bucket{le=\"%v\"} %d\n", name, le, sum)
	}
	sum += m.below[len(buckets)]
	fmt.Fprintf(b, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %v\n%s_count %d\n", name, sum, name, m.seconds, name, sum)
}
