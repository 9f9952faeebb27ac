package main

import (
	"context"
	"fmt"
	"runtime"

	"dsync/cmd/internal/engine"
)

// version is raised with each release.
const version = "0.1"

func runVersion(_ context.Context, p *program, _ *call) (int, error) {
	return engine.ExitOK, p.print(fmt.Sprintf("dsync %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
}
