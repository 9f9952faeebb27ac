package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sample is one measured run.
type sample struct {
	Wall   time.Duration `json:"wall_ns"`
	User   time.Duration `json:"user_ns"`
	System time.Duration `json:"system_ns"`
	RSS    int64         `json:"rss_kib"` // of the largest single process
	Code   int           `json:"exit_status"`
}

// CPU is user and system time.
func (s sample) cpu() time.Duration { return s.User + s.System }

// measure writes out dirty pages, runs the command and says what it used. The
// error is for a command that could not be run or was killed.
func measure(cmd *exec.Cmd) (s sample, stdout, stderr string, err error) {
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	syscall.Sync()
	start := time.Now()
	err = cmd.Run()
	s.Wall = time.Since(start)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		s.Code = exit.ExitCode()
		err = nil
	}
	if err != nil {
		return s, "", problems.String(), fmt.Errorf("run %s: %w: %s", cmd.Args[0], err, problems.String())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	s.User, s.System, s.RSS = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime(), usage.Maxrss
	return s, out.String(), problems.String(), nil
}

// memoryFloor is the peak memory that any child seems to have, because this
// program starts it.
func memoryFloor(ctx context.Context) int64 {
	s, _, _, err := measure(exec.CommandContext(ctx, "true"))
	if err != nil {
		return 0
	}
	return s.RSS
}

// spread is the median and the range of some figures.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf takes a figure from each sample; the zero spread if there is none.
func spreadOf(samples []sample, figure func(sample) float64) spread {
	if len(samples) == 0 {
		return spread{}
	}
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	slices.Sort(values)
	n := len(values)
	median := values[n/2]
	if n%2 == 0 {
		median = (values[n/2-1] + values[n/2]) / 2
	}
	return spread{Median: median, Min: values[0], Max: values[n-1]}
}

func wallSeconds(s sample) float64 { return s.Wall.Seconds() }
func cpuSeconds(s sample) float64  { return s.cpu().Seconds() }
func userSeconds(s sample) float64 { return s.User.Seconds() }
func megabytes(s sample) float64   { return float64(s.RSS) / 1024 }

// exitCodes lists the statuses in order of runs.
func exitCodes(samples []sample) string {
	words := make([]string, len(samples))
	for i, s := range samples {
		words[i] = fmt.Sprint(s.Code)
	}
	return strings.Join(words, ",")
}
