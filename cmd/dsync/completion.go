package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dsync/cmd/internal/engine"
)

func runCompletion(_ context.Context, p *program, c *call) (int, error) {
	script, ok := map[string]func() string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.words[0]]
	if !ok {
		return 0, usagef("shell %.40q: known are bash, zsh, fish", c.words[0])
	}
	return engine.ExitOK, p.print(script())
}

// offered reports whether a shell offers the option after a command: after "lab"
// those of all its commands.
func (o *option) offered(c *command) bool {
	if o.help == "" {
		return false
	}
	taken := o.takenBy(c)
	if c != nil && c.name == "lab" {
		for _, l := range labCommands() {
			taken = taken || o.takenBy(l)
		}
	}
	return taken
}

// words are the options of a command as a shell offers them.
func optionWords(c *command) []string {
	var out []string
	for _, o := range options {
		if !o.offered(c) {
			continue
		}
		if o.short != "" {
			out = append(out, "-"+o.short)
		}
		out = append(out, "--"+o.long)
	}
	return out
}

func labNames() []string {
	var out []string
	for _, c := range labCommands() {
		out = append(out, strings.TrimPrefix(c.name, "lab "))
	}
	return out
}

func commandNames() []string {
	var out []string
	for _, c := range commands() {
		out = append(out, c.name)
	}
	return out
}

// withFile and withValue are the spellings of options whose value is a file, or
// is one at all.
func spellings(chosen func(*option) bool) []string {
	var out []string
	for _, o := range options {
		if o.help == "" || !chosen(o) {
			continue
		}
		if o.short != "" {
			out = append(out, "-"+o.short)
		}
		out = append(out, "--"+o.long)
	}
	return out
}

func takesFile(o *option) bool  { return o.arg == "FILE" }
func takesValue(o *option) bool { return o.arg != "" }

func bashScript() string {
	var w strings.Builder
	w.WriteString("# bash completion for dsync\n_dsync() {\n\tlocal cur prev i cmd=\n\tcur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n\tCOMPREPLY=()\n")
	fmt.Fprintf(&w, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n\t\t%s) cmd=${COMP_WORDS[i]}; break ;;\n\t\tesac\n\tdone\n", strings.Join(commandNames(), "|"))
	fmt.Fprintf(&w, "\tcase $prev in\n\t%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", strings.Join(spellings(takesFile), "|"))
	fmt.Fprintf(&w, "\t--policy) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", strings.Join(engine.Policies(), " "))
	fmt.Fprintf(&w, "\t%s) return ;;\n\tesac\n\tlocal words\n\tcase $cmd in\n", strings.Join(spellings(takesValue), "|"))
	for _, c := range commands() {
		extra := ""
		switch c.name {
		case "completion":
			extra = " bash zsh fish"
		case "help":
			extra = " " + strings.Join(commandNames(), " ")
		case "lab":
			extra = " " + strings.Join(labNames(), " ")
		}
		fmt.Fprintf(&w, "\t%s) words=%q ;;\n", c.name, strings.Join(optionWords(c), " ")+extra)
	}
	fmt.Fprintf(&w, "\t*) words=%q ;;\n\tesac\n", strings.Join(append(optionWords(nil), commandNames()...), " "))
	w.WriteString("\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n\tif [[ -n $cmd && $cur != -* ]]; then\n\t\tCOMPREPLY+=($(compgen -d -- \"$cur\"))\n\tfi\n}\ncomplete -F _dsync dsync\n")
	return w.String()
}

func zshScript() string {
	var w strings.Builder
	w.WriteString("#compdef dsync\n# zsh completion for dsync\n_dsync() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, c := range commands() {
		fmt.Fprintf(&w, "\t\t%s\n", quote(c.name+":"+c.summary))
	}
	w.WriteString("\t)\n\tlocal cmd i\n\tfor ((i = 2; i < CURRENT; i++)); do\n")
	fmt.Fprintf(&w, "\t\tcase ${words[i]} in\n\t\t(%s) cmd=${words[i]}; break ;;\n\t\tesac\n\tdone\n\tcase $cmd in\n", strings.Join(commandNames(), "|"))
	for _, c := range commands() {
		fmt.Fprintf(&w, "\t(%s) _arguments", c.name)
		for _, o := range options {
			if o.offered(c) {
				zshOption(&w, o)
			}
		}
		w.WriteString(" '*:location:_files' ;;\n")
	}
	w.WriteString("\t(*) _describe command commands ;;\n\tesac\n}\n_dsync \"$@\"\n")
	return w.String()
}

func zshOption(w *strings.Builder, o *option) {
	text := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(o.help)
	value := ""
	switch {
	case takesFile(o):
		value = ":file:_files"
	case o.arg != "":
		value = ":" + strings.NewReplacer("[", "", "]", "").Replace(o.arg) + ": "
	}
	names := []string{"--" + o.long}
	if o.short != "" {
		names = append(names, "-"+o.short)
	}
	for _, n := range names {
		w.WriteString(" " + quote("*"+n+"["+text+"]"+value))
	}
}

func fishScript() string {
	var w strings.Builder
	w.WriteString("# fish completion for dsync\n")
	for _, c := range commands() {
		fmt.Fprintf(&w, "complete -c dsync -n __fish_use_subcommand -f -a %s -d %s\n", c.name, quote(c.summary))
	}
	for _, o := range options {
		if o.help == "" {
			continue
		}
		w.WriteString("complete -c dsync")
		if in := takers(o); in != "" {
			fmt.Fprintf(&w, " -n %s", quote("__fish_seen_subcommand_from "+in))
		}
		if o.short != "" {
			w.WriteString(" -s " + o.short)
		}
		w.WriteString(" -l " + o.long)
		if o.arg != "" {
			w.WriteString(" -r")
		}
		w.WriteString(" -d " + quote(o.help) + "\n")
	}
	return w.String() + "complete -c dsync -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n"
}

// takers lists the commands that take an option; "" if all do.
func takers(o *option) string {
	if o.at == "*" {
		return ""
	}
	var out []string
	for _, name := range strings.Fields(o.at) {
		if name, _, _ = strings.Cut(name, "-"); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

// quote writes a word in single quotes, as all three shells read it.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
