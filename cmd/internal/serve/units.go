package serve

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed units
var units embed.FS

// unitNames are the units, in the order in which they are printed.
var unitNames = []string{"dsync.service", "dsync-sync.service", "dsync-sync.timer"}

// Units are systemd's units for this program, each after a line with its file's name.
func Units(program string) string {
	var b strings.Builder
	for i, name := range unitNames {
		text, err := units.ReadFile("units/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "# /etc/systemd/system/%s\n%s", name, strings.ReplaceAll(string(text), "@DSYNC@", quoted(program)))
	}
	return b.String()
}

// quoted writes a path as systemd reads it.
func quoted(path string) string {
	path = strings.ReplaceAll(path, "%", "%%")
	if !strings.ContainsAny(path, " \t\"'\\$") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$").Replace(path) + `"`
}
