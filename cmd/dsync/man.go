package main

import (
	"context"
	"fmt"
	"strings"

	"dsync/cmd/internal/config"
	"dsync/cmd/internal/engine"
)

func runMan(_ context.Context, p *program, _ *call) (int, error) {
	return engine.ExitOK, p.print(manual())
}

// manual is the whole program in roff(7), made from the tables of commands and
// options.
func manual() string {
	var w strings.Builder
	fmt.Fprintf(&w, ".TH DSYNC 1 \"\" \"dsync %s\"\n", version)
	w.WriteString(".SH NAME\ndsync \\- keep two mail accounts equal\n.SH SYNOPSIS\n")
	for _, c := range everyCommand() {
		fmt.Fprintf(&w, ".B dsync\n[\\-Dv] %s\n.br\n", roff(synopsis(c)))
	}
	w.WriteString(".SH DESCRIPTION\n")
	for _, text := range describes {
		w.WriteString(roff(text) + "\n.PP\n")
	}
	w.WriteString(".SH COMMANDS\n")
	for _, c := range everyCommand() {
		fmt.Fprintf(&w, ".SS %s\n%s.\n", roff(synopsis(c)), roff(c.summary))
		for _, text := range c.about {
			w.WriteString(".PP\n" + roff(text) + "\n")
		}
		manOptions(&w, func(o *option) bool { return o.at != "*" && o.takenBy(c) })
		w.WriteString(".PP\nExit status:\n")
		for _, e := range c.exits {
			fmt.Fprintf(&w, ".TP\n.B %s\n%s\n", e.status, roff(e.meaning))
		}
	}
	w.WriteString(".SH GLOBAL OPTIONS\nThey stand before or after the command.\n")
	manOptions(&w, func(o *option) bool { return o.at == "*" })
	manSettings(&w)
	w.WriteString(".SH EXIT STATUS\nOf every command, besides its own:\n")
	for _, e := range allExits {
		fmt.Fprintf(&w, ".TP\n.B %s\n%s\n", e.status, roff(e.meaning))
	}
	w.WriteString(".SH SEE ALSO\n.BR doveadm\\-sync (1)\n")
	return w.String()
}

var describes = []string{
	"A location is maildir:PATH with Dovecot's keys (LAYOUT=fs, UTF-8, CONTROL=, INBOX=, INDEX=, SUBSCRIPTIONS=, DIRNAME=), or a directory that holds a Maildir. %u, %n, %d, %h and ~/ stand for the user, its parts, and the home directory.",
	"The near side is the setting mail_location, or else ~/Maildir or ~/mail. The far side is the destination; options end there.",
	"Mailbox names are UTF-8 with / between levels; in masks, * and ? match across levels. Dates are YYYY-MM-DD[ HH:MM:SS], 01-Jan-2026, seconds since 1970, or an age like 2weeks or 5d.",
	"The change log is kept in the directory of the setting changelog; by default in $XDG_STATE_HOME/dsync or ~/.local/state/dsync, for root in /var/lib/dsync. Of what happened it keeps log_max_age (default 90days; 0: no limit) and log_max_bytes for each account (default 256M; 0: no limit); what a sync needs is kept for good.",
}

func manOptions(w *strings.Builder, taken func(*option) bool) {
	for _, o := range options {
		if o.help != "" && taken(o) {
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(o.names()), roff(o.help))
		}
	}
}

// manSettings is the table of settings.
func manSettings(w *strings.Builder) {
	w.WriteString(".SH SETTINGS\n")
	for _, text := range findCommand("config").about {
		w.WriteString(roff(text) + "\n.PP\n")
	}
	w.WriteString(roff("The file is TOML; a key that is not listed here is an error. With -o a setting in a table is written TABLE.KEY=VALUE; Dovecot's other settings are accepted there and mean nothing.") + "\n")
	for _, sec := range config.Sections() {
		if sec.Name != "" {
			fmt.Fprintf(w, ".SS [%s]\n", roff(sec.Head()))
		}
		w.WriteString(roff(sec.Help) + "\n")
		for _, s := range config.Settings() {
			in, name := config.Split(s.Key)
			if in != sec.Head() {
				continue
			}
			text := s.Help
			if s.Default != "" {
				text += " Default: " + s.Default + "."
			}
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(name), roff(text))
		}
	}
}

// roff escapes what roff would take for its own.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "…", "...").Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}
