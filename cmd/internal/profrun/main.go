// Command profrun is a scratch profiler.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"dsync/cmd/internal/engine"
)

func main() {
	f, _ := os.Create("/tmp/prof/cpu.out")
	pprof.StartCPUProfile(f)
	t := time.Now()
	alg := engine.Fast
	if len(os.Args) > 4 {
		alg = engine.Full
	}
	rep := engine.Run(context.Background(), engine.Options{Near: os.Args[1], Far: os.Args[2], ChangeLog: os.Args[3], Algorithm: alg})
	fmt.Println(time.Since(t), rep.Exit, rep.Err, rep.Sides[1])
	pprof.StopCPUProfile()
	runtime.GC()
	h, _ := os.Create("/tmp/prof/heap.out")
	pprof.Lookup("allocs").WriteTo(h, 0)
}
