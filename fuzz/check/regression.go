package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/scenario"
)

// seedOf reads the seed of a made scenario.
func seedOf(s *scenario.Scenario) uint64 {
	n, _ := strconv.ParseUint(s.Seed, 10, 64) // Case wrote it
	return n
}

// Regression is the small scenario of a finding as it is kept: its header says when
// (a date such as 2026-01-31), which law, from which seed and on which engine, and a
// note how to find it again. With known, the header says too that the engine is known
// to break these laws there, and must; then the scenario passes on that engine while
// the fault is there, and on every other if it keeps the laws and shows what the merge
// alone shows in the end.
func (f *Finding) Regression(date string, known bool) *scenario.Scenario {
	s := f.Small.Clone()
	s.Name = fmt.Sprintf("%s on %s, seed %d", f.Law, f.Engine, f.Seed)
	s.Notes = []string{"repeat with: " + f.Command()}
	s.Date, s.Laws, s.Found = date, []string{f.Law}, f.Engine
	if f.Law == Failed {
		s.Laws = nil
	}
	if known {
		s.Breaks = []scenario.Break{{Engine: f.Engine, Laws: f.Laws}}
		s.Steps = append(s.Steps, expectations(s)...)
	}
	return s
}

// expectations is what the merge alone shows in the end; none if it cannot play it.
func expectations(s *scenario.Scenario) []scenario.Step {
	res := lab.Play(engine.Pure{}, s, lab.Options{})
	if res.Skipped != "" || res.Failed != "" {
		res = lab.Play(engine.Memory(), s, lab.Options{})
	}
	if res.Skipped != "" || res.Failed != "" {
		return nil
	}
	var out []scenario.Step
	same := true
	for _, r := range s.Replicas {
		l := res.Final[r].Plain()
		same = same && l.String() == res.Final[s.Replicas[0]].Plain().String()
		out = append(out, scenario.Step{Verb: scenario.Expect, At: r, Shows: l})
	}
	if same {
		out = out[:1]
		out[0].At = "all"
	}
	return out
}

// Write keeps a finding as a scenario file in a directory, which is made if it is not
// there, and gives its path. A file of the same finding is replaced.
func (f *Finding) Write(dir, date string, known bool) (string, error) {
	name := strings.ToLower(fmt.Sprintf("%s-%s-%d.txt", f.Engine, f.Law, f.Seed))
	path := filepath.Join(dir, name)
	text := f.Regression(date, known).String()
	if _, err := scenario.Parse(path, []byte(text)); err != nil {
		return "", fmt.Errorf("internal error: the regression cannot be read: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}
