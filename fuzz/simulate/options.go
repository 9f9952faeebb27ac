package simulate

import (
	"fmt"
	"slices"
	"strings"

	"dsync/changelog/logdb"
	"dsync/fuzz/scenario"
	"dsync/merge"
)

// Fault is a kind of what befalls worlds.
type Fault string

// Faults lists them, with what they are.
var Faults = []struct {
	Name Fault
	Says string
}{
	{"delays", "steps and frames take a while"},
	{"cuts", "the connection breaks at some frame"},
	{"overlaps", "a run is started while another is under way"},
	{"states", "runs with the state of the last run, stale, foreign and corrupt ones"},
	{"crashes", "an end, or both, dies at some write of store or log"},
	{"power", "what dies loses part of what was not durable"},
	{"full", "a disk is full for some writes"},
	{"failures", "effects fail"},
	{"clients", "clients act in the middle of a run"},
	{"restores", "mail, log, or both come back from an older save; logs are lost"},
	{"clones", "mail becomes a copy of another replica's"},
	{"clocks", "clocks jump"},
	{"oneway", "runs with -1"},
	{"backup", "runs that mirror"},
	{"filters", "runs with -m, -x, -t, -e"},
}

// ParseFaults reads a list with commas, "all" or "none".
func ParseFaults(list string) ([]Fault, error) {
	var out []Fault
	for _, word := range strings.Split(list, ",") {
		i := slices.IndexFunc(Faults, func(f struct {
			Name Fault
			Says string
		}) bool {
			return string(f.Name) == word
		})
		switch {
		case word == "none":
		case word == "all":
			for _, f := range Faults {
				out = append(out, f.Name)
			}
		case i < 0:
			var names []string
			for _, f := range Faults {
				names = append(names, string(f.Name))
			}
			return nil, fmt.Errorf("unknown fault %.40q; known are all, none, %s", word, strings.Join(names, ", "))
		default:
			out = append(out, Faults[i].Name)
		}
	}
	return out, nil
}

// Random is the topology that lets any two replicas meet in the history; who meets
// whom in sweeps is drawn for each world.
const Random scenario.Topology = "random"

// Options say what worlds are like. The zero value draws everything.
type Options struct {
	Replicas int               // 2 to 5; 0: drawn for each world
	Topology scenario.Topology // or Random; "": drawn for each world
	Faults   []Fault           // nil: none
	Policy   string            // "": safe
	Engine   string            // "": by the seed; memory, pebble, maildir: only this one
	Steps    int               // of a phase; 0: drawn, 8 to 20

	// Policies finds a policy by name; nil: merge.PolicyByName.
	Policies func(string) (*merge.Policy, error)
	// Log changes how logs are opened: for mutants.
	Log func(*logdb.Options)
}

// MaxReplicas is how many replicas a world has at most.
const MaxReplicas = 5

// Check says what is wrong with the options.
func (o *Options) Check() error {
	if o.Replicas != 0 && (o.Replicas < 2 || o.Replicas > MaxReplicas) {
		return fmt.Errorf("%d replicas: want 2 to %d, or 0 to have it drawn", o.Replicas, MaxReplicas)
	}
	if o.Topology != "" && !slices.Contains(Topologies, o.Topology) {
		return fmt.Errorf("unknown topology %.40q; known are line, ring, star, mesh, random", string(o.Topology))
	}
	if !slices.Contains([]string{"", "memory", "pebble", "maildir"}, o.Engine) {
		return fmt.Errorf("unknown engine %.40q of a simulation; known are memory, pebble, maildir", o.Engine)
	}
	return nil
}

// Topologies are those of worlds.
var Topologies = []scenario.Topology{scenario.Line, scenario.Ring, scenario.Star, scenario.Mesh, Random}

func (o *Options) has(f Fault) bool { return slices.Contains(o.Faults, f) }

// Engines of the seeds.
const (
	everyPebble  = 50
	everyMaildir = 20
)

// engineOf is the engine that a seed's world is played on.
func (o *Options) engineOf(seed uint64) string {
	switch {
	case o.Engine != "":
		return o.Engine
	case seed%everyPebble == 0:
		return "pebble"
	case seed%everyMaildir == 7:
		return "maildir"
	}
	return "memory"
}
