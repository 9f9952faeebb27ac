package policyfile

import (
	"fmt"
	"strings"

	"dsync/merge"
)

// Text writes a policy as a file, with what every choice means as comments.
func Text(p *merge.Policy) string {
	var w strings.Builder
	comment(&w, "A policy of dsync: how it settles what both sides changed, neither knowing of the other's change. "+
		"What is left out is as in the policy that \"like\" names. dsync lab policy check FILE says which laws it keeps.")
	fmt.Fprintf(&w, "\nformat = %d\nname = %s\n", Format, quote(p.Name))
	if p.About != "" {
		fmt.Fprintf(&w, "about = %s\n", quote(p.About))
	}
	w.WriteString("like = \"safe\"\n")
	if p.Seeded() {
		fmt.Fprintf(&w, "seed = %d # of \"random\"\n", p.Seed)
	}
	section := ""
	for _, r := range merge.Rules() {
		in, key, _ := strings.Cut(r.Key, ".")
		if in != section {
			section = in
			head(&w, section, r)
		}
		if section == merge.RuleSection {
			fmt.Fprintf(&w, "\n# Rule %d: %s.\n", r.Number, r.About)
			choices(&w, r)
		}
		fmt.Fprintf(&w, "%s = %s", key, quote(r.Of(p)))
		if section == merge.FlagSection {
			fmt.Fprintf(&w, " # rule %d: %s", r.Number, r.About)
		}
		w.WriteString("\n")
		if section == merge.KeywordSection {
			keywords(&w, p)
		}
	}
	return w.String()
}

// head begins a table.
func head(w *strings.Builder, section string, first *merge.Rule) {
	fmt.Fprintf(w, "\n[%s]\n", section)
	switch section {
	case merge.FlagSection:
		comment(w, "One choice for each flag, or for all that are not named (all = …):")
		choices(w, first)
	case merge.KeywordSection:
		comment(w, fmt.Sprintf("Rule %d: %s. The choices are those of flags; a keyword may have one of its own, like \"$Junk\" = \"remove-wins\".", first.Number, first.About))
	case merge.RuleSection:
		comment(w, "The rules that are not named here have no choice. A run decides by its own policy about what it merges: the messages that changed, all mailboxes if any of them did, everything with -f. The rest stays as earlier runs settled it.")
	}
}

func choices(w *strings.Builder, r *merge.Rule) {
	for _, c := range r.Choices {
		fmt.Fprintf(w, "#   %-17s  %s\n", c.Name, c.About)
	}
}

func keywords(w *strings.Builder, p *merge.Policy) {
	ks, cs := p.Excepted()
	for i, k := range ks {
		if k == merge.AllKey {
			k = strings.ToUpper(k) // the keyword of that name
		}
		fmt.Fprintf(w, "%s = %s\n", quote(k), quote(cs[i]))
	}
}

// comment writes a text as comment lines.
func comment(w *strings.Builder, text string) {
	const width = 78
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			w.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	w.WriteString(line + "\n")
}

// quote writes a basic string of TOML, which knows \uXXXX but not \x.
func quote(s string) string {
	var w strings.Builder
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			w.WriteString("\\u" + fmt.Sprintf("%04x", r))
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
	return w.String()
}
