package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"dsync/cmd/internal/engine"

	"dsync/fuzz/explore"
)

// parse reads a command line: global options, a command, its options, its words.
func parse(args []string) (*values, *command, []string, error) {
	v := &values{maxDelete: defaultBrake, explore: exploreValues{Options: explore.Defaults}}
	words, err := scan(flagSet(v, nil), args, false)
	if err != nil {
		return v, nil, nil, usage(err)
	}
	if len(words) == 0 {
		if v.help {
			return v, findCommand("help"), nil, nil
		}
		return v, nil, nil, usagef("no command")
	}
	c, rest := lookup(words)
	if c == nil {
		return v, nil, nil, usage(unknownCommand(words[0]))
	}
	words, err = scan(flagSet(v, c), rest, c.mixed)
	if err != nil {
		return v, c, nil, usage(err)
	}
	return v, c, words, nil
}

// scan takes options as getopt(3) does, which pflag alone does not: "-s=" has the
// value "=", and a switch has none. With mixed, options may follow words.
func scan(fs *pflag.FlagSet, args []string, mixed bool) (words []string, err error) {
	var flags []string
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case a == "--":
			words, args = append(words, args...), nil
		case strings.HasPrefix(a, "--"):
			flags, args, err = longOption(fs, flags, a, args)
		case a == "-rewrite" && fs.Lookup("rewrite") != nil: // as Go's own tests spell it
			flags = append(flags, "-"+a)
		case len(a) > 1 && a[0] == '-':
			flags, args, err = letters(fs, flags, a[1:], args)
		case mixed:
			words = append(words, a)
		default:
			words, args = append([]string{a}, args...), nil
		}
		if err != nil {
			return nil, err
		}
	}
	return words, plain(fs.Parse(flags))
}

// plain says what is wrong with a value without pflag's own words.
func plain(err error) error {
	if bad := (*pflag.InvalidValueError)(nil); errors.As(err, &bad) {
		f, name := bad.GetFlag(), "--"+bad.GetFlag().Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand
		}
		return fmt.Errorf("%s %.80q: %w", name, bad.GetValue(), errors.Unwrap(bad))
	}
	return err
}

func longOption(fs *pflag.FlagSet, out []string, a string, rest []string) ([]string, []string, error) {
	name, value, has := strings.Cut(a[2:], "=")
	f := fs.Lookup(name)
	switch {
	case f == nil:
		return nil, nil, fmt.Errorf("unknown option --%.40s", name)
	case f.NoOptDefVal != "" && has:
		return nil, nil, fmt.Errorf("option --%s takes no value", name)
	case f.NoOptDefVal != "" || has:
		return append(out, a), rest, nil
	case len(rest) == 0:
		return nil, nil, fmt.Errorf("option --%s needs a value (%s)", name, f.Value.Type())
	}
	value = rest[0]
	return append(out, "--"+name+"="+value), rest[1:], nil
}

// letters takes a bundle like "1fs" whose last letter may have a value, in the
// same word or the next.
func letters(fs *pflag.FlagSet, out []string, bundle string, rest []string) ([]string, []string, error) {
	for i := range len(bundle) {
		letter := bundle[i : i+1]
		var f *pflag.Flag
		if letter[0] < 0x80 {
			f = fs.ShorthandLookup(letter)
		}
		if f == nil {
			return nil, nil, fmt.Errorf("unknown option -%.40s", bundle[i:])
		}
		if f.NoOptDefVal != "" {
			out = append(out, "--"+f.Name)
			continue
		}
		value := bundle[i+1:]
		if value == "" {
			if len(rest) == 0 {
				return nil, nil, fmt.Errorf("option -%s needs a value (%s)", letter, f.Value.Type())
			}
			value, rest = rest[0], rest[1:]
		}
		return append(out, "--"+f.Name+"="+value), rest, nil
	}
	return out, rest, nil
}

var defaultBrake = engine.MaxDelete{Count: 100, Percent: 50}
