package main

import (
	"context"
	"strconv"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
	"dsync/cmd/internal/tomlfile"
)

// runConfig prints what is in force.
func runConfig(_ context.Context, p *program, c *call) (int, error) {
	if c.sample {
		return engine.ExitOK, p.print(config.Sample())
	}
	s, err := p.settings(c.values)
	if err != nil {
		return 0, err
	}
	dir, err := p.changeLog(s, p.vars(c.user))
	if err != nil {
		return 0, err
	}
	s.Assume(config.ChangeLog, dir)
	s.Assume(config.Jobs, strconv.Itoa(p.defaultJobs()))
	read := "# no file was read\n"
	if name := p.configFile(c.values); name != "" {
		read = "# read: " + tomlfile.Quote(clean(name)) + "\n"
	}
	return engine.ExitOK, p.print(read + s.Text())
}

// defaultJobs is how many users are worked on at once if nobody says.
func (p *program) defaultJobs() int { return min(max(p.cores, 2), config.MaxJobs) }
