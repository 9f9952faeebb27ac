package main

import (
	"context"
	"fmt"
	"strings"

	"dsync/cmd/internal/engine"
)

const helpWidth = 78

func runHelp(_ context.Context, p *program, c *call) (int, error) {
	if len(c.words) == 0 {
		return engine.ExitOK, p.print(help(nil))
	}
	about, rest := lookup(c.words)
	if about == nil || len(rest) > 0 {
		return 0, usage(unknownCommand(strings.Join(c.words, " ")))
	}
	return engine.ExitOK, p.print(help(about))
}

// help is the text for one command, or for the program.
func help(c *command) string {
	if c == nil || c.name == "help" {
		return helpAll()
	}
	var w strings.Builder
	fmt.Fprintf(&w, "dsync %s: %s\n\nUsage: dsync %s\n", c.name, c.summary, synopsis(c))
	for _, text := range c.about {
		w.WriteString("\n" + wrap(text, "", helpWidth))
	}
	w.WriteString("\nOptions:\n")
	for _, o := range options {
		if o.help != "" && o.takenBy(c) {
			w.WriteString(optionHelp(o))
		}
	}
	w.WriteString("\nExit status:\n")
	for _, e := range exitsOf(c) {
		fmt.Fprintf(&w, "  %-4s %s\n", e.status, e.meaning)
	}
	return w.String()
}

func helpAll() string {
	var w strings.Builder
	w.WriteString("dsync keeps two mail accounts equal.\n\nUsage: dsync [-D] [-v] [-o KEY=VALUE] [-c FILE] COMMAND [options] …\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&w, "  %-12s %s\n", c.name, c.summary)
	}
	w.WriteString("\nOptions before or after the command:\n")
	for _, o := range options {
		if o.help != "" && o.at == "*" {
			w.WriteString(optionHelp(o))
		}
	}
	w.WriteString("\n\"dsync COMMAND --help\" says more; \"dsync man\" prints the manual page.\n")
	return w.String()
}

// synopsis is the command with what may follow it.
func synopsis(c *command) string {
	out := c.name + " [options]"
	if c.words != "" {
		out += " " + c.words
	}
	return out
}

// exitsOf puts the statuses of a command and those of all commands in one list.
func exitsOf(c *command) []exitLine {
	out := append([]exitLine{}, c.exits...)
	for _, e := range allExits {
		known := false
		for _, own := range c.exits {
			known = known || own.status == e.status
		}
		if !known {
			out = append(out, e)
		}
	}
	return out
}

// names writes how an option is spelt: "-m, --mailbox NAME".
func (o *option) names() string {
	out := "--" + o.long
	if o.short != "" {
		out = "-" + o.short + ", " + out
	}
	if o.arg != "" {
		out += " " + o.arg
	}
	return out
}

func optionHelp(o *option) string {
	const column = 28
	head := "  " + o.names()
	if o.short == "" {
		head = "      " + o.names()
	}
	text := wrap(o.help, strings.Repeat(" ", column), helpWidth)
	if len(head) < column-1 {
		return head + strings.Repeat(" ", column-len(head)) + strings.TrimLeft(text, " ")
	}
	return head + "\n" + text
}

// wrap breaks a text into lines that begin with indent.
func wrap(text, indent string, width int) string {
	var w strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if line != indent && len(line)+1+len(word) > width {
			w.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return w.String() + line + "\n"
}
