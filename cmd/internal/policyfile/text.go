package policyfile

import (
	"fmt"
	"strings"

	"dsync/cmd/internal/tomlfile"
	"dsync/merge"
)

// Text writes a policy as a file, with what every choice means as comments.
func Text(p *merge.Policy) string {
	var w strings.Builder
	tomlfile.Comment(&w, "A policy of dsync: how it settles what both sides changed, neither knowing of the other's change. "+
		"What is left out is as in the policy that \"like\" names. dsync lab policy check FILE says which laws it keeps.")
	fmt.Fprintf(&w, "\nformat = %d\nname = %s\n", Format, tomlfile.Quote(p.Name))
	if p.About != "" {
		fmt.Fprintf(&w, "about = %s\n", tomlfile.Quote(p.About))
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
		fmt.Fprintf(&w, "%s = %s", key, tomlfile.Quote(r.Of(p)))
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
		tomlfile.Comment(w, "One choice for each flag, or for all that are not named (all = …):")
		choices(w, first)
	case merge.KeywordSection:
		tomlfile.Comment(w, fmt.Sprintf("Rule %d: %s. The choices are those of flags; a keyword may have one of its own, like \"$Junk\" = \"remove-wins\".", first.Number, first.About))
	case merge.RuleSection:
		tomlfile.Comment(w, "The rules that are not named here have no choice. A run decides by its own policy about what it merges: the messages that changed, all mailboxes if any of them did, everything with -f. The rest stays as earlier runs settled it.")
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
		fmt.Fprintf(w, "%s = %s\n", tomlfile.Quote(k), tomlfile.Quote(cs[i]))
	}
}
