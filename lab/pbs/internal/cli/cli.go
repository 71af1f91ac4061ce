// Package cli is the documented grammar of Proxmox's command line tools: options as --name value or
// --name=value, anywhere between the arguments; switches with an optional value; commands by unique
// abbreviation; errors as "Error: …" with exit status 255.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
)

// Kind of an option's value.
type Kind int

// Kinds of options.
const (
	String Kind = iota
	Bool
	Int
	List
)

// Option of a command.
type Option struct {
	Name    string
	Kind    Kind
	Choices []string
	Check   func(string) error
	Help    string
}

// Arg is a positional argument, which may be given as --name too.
type Arg struct {
	Name     string
	Optional bool
	Repeated bool
	Check    func(string) error
}

// Command by its words.
type Command struct {
	Words   string
	Args    []Arg
	Options []Option
	Help    string
	Run     func(Params) error
}

// Params are what a command was given.
type Params map[string][]string

// Get is the last value, or "".
func (p Params) Get(name string) string {
	if values := p[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// Has tells whether something was given at all.
func (p Params) Has(name string) bool { return len(p[name]) > 0 }

// Bool is a switch; off unless given.
func (p Params) Bool(name string) bool { v, _ := parseBool(p.Get(name)); return v }

// Int is a checked number, or what it is otherwise.
func (p Params) Int(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(p.Get(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "1", "on", "yes", "true":
		return true, true
	case "0", "off", "no", "false":
		return false, true
	}
	return false, false
}

// parameterError is shown together with the command's usage.
type parameterError []string

func (e parameterError) Error() string {
	return "parameter verification errors\n\n" + strings.Join(e, "\n")
}

// Program is a set of commands.
type Program struct {
	Name     string
	Note     string // said in every help text
	Commands []Command
	Aliases  map[string]string
}

// Main runs a command and ends the process.
func (p Program) Main() {
	os.Exit(p.Run(os.Args[1:], os.Stdout, os.Stderr))
}

// Run executes one command line; it returns the exit status.
func (p Program) Run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && (args[0] == "help" || args[0] == "--help" || args[0] == "-h") {
		p.usage(stdout, strings.Join(args[1:], " "))
		return 0
	}
	command, rest, err := p.find(args)
	if err != nil {
		fmt.Fprintf(stderr, "Error: %v\n\n", err)
		p.usage(stderr, "")
		return 255
	}
	for _, arg := range rest {
		if arg == "--help" {
			p.usage(stdout, command.Words)
			return 0
		}
	}
	params, err := command.parse(rest)
	if err == nil {
		err = command.Run(params)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "Error: %v\n", err)
	if errors.As(err, new(parameterError)) {
		fmt.Fprintf(stderr, "\nUsage: %s\n", p.synopsis(*command))
	}
	return 255
}

// find takes the words of a command off the arguments.
func (p Program) find(args []string) (*Command, []string, error) {
	if len(args) == 0 {
		return nil, nil, errors.New("no command specified.")
	}
	if full, ok := p.Aliases[args[0]]; ok {
		args = append(strings.Fields(full), args[1:]...)
	}
	said := ""
	for depth := 0; depth < len(args); depth++ {
		candidates := map[string]bool{}
		for _, c := range p.Commands {
			words := strings.Fields(c.Words)
			if len(words) > depth && strings.Join(words[:depth], " ") == said {
				candidates[words[depth]] = true
			}
		}
		word, err := unique(candidates, args[depth])
		if err != nil {
			return nil, nil, err
		}
		said = strings.TrimSpace(said + " " + word)
		for i := range p.Commands {
			if p.Commands[i].Words == said {
				return &p.Commands[i], args[depth+1:], nil
			}
		}
	}
	return nil, nil, fmt.Errorf("no sub-command specified for '%s'.", said)
}

func unique(candidates map[string]bool, word string) (string, error) {
	if candidates[word] {
		return word, nil
	}
	var found []string
	for c := range candidates {
		if strings.HasPrefix(c, word) {
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return "", fmt.Errorf("no such command '%s'", word)
}

func (c Command) option(name string) (Option, bool) {
	for _, o := range c.Options {
		if o.Name == name {
			return o, true
		}
	}
	for _, a := range c.Args {
		if a.Name == name {
			return Option{Name: a.Name, Check: a.Check, Kind: map[bool]Kind{true: List}[a.Repeated]}, true
		}
	}
	return Option{}, false
}

func bad(name, format string, args ...any) string {
	return fmt.Sprintf("parameter '%s': ", name) + fmt.Sprintf(format, args...)
}

func (c Command) parse(args []string) (Params, error) {
	params, positional, problems := Params{}, []string{}, parameterError{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			positional = append(positional, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			positional = append(positional, arg)
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		option, known := c.option(name)
		switch {
		case given:
		case known && option.Kind == Bool:
			value = "true"
			if i+1 < len(args) {
				if _, ok := parseBool(args[i+1]); ok {
					value = args[i+1]
					i++
				}
			}
		case i+1 < len(args) && (known || !strings.HasPrefix(args[i+1], "-")):
			value = args[i+1]
			i++
		case known:
			problems = append(problems, bad(name, "missing parameter value."))
			continue
		}
		if !known {
			problems = append(problems, bad(name, "schema does not allow additional properties."))
			continue
		}
		if err := option.check(value); err != nil {
			problems = append(problems, bad(name, "%v", err))
		}
		if params.Has(name) && option.Kind != List {
			problems = append(problems, bad(name, "parameter given more than once"))
		}
		params[name] = append(params[name], value)
	}
	problems = append(problems, c.assign(params, positional)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return params, nil
}

// assign gives the positional arguments their names.
func (c Command) assign(params Params, positional []string) (problems parameterError) {
	for _, a := range c.Args {
		if params.Has(a.Name) {
			continue
		}
		take := min(1, len(positional))
		if a.Repeated {
			take = len(positional)
		}
		if take == 0 && !a.Optional {
			problems = append(problems, bad(a.Name, "parameter is missing and it is not optional."))
		}
		for _, value := range positional[:take] {
			if a.Check != nil {
				if err := a.Check(value); err != nil {
					problems = append(problems, bad(a.Name, "%v", err))
				}
			}
			params[a.Name] = append(params[a.Name], value)
		}
		positional = positional[take:]
	}
	if len(positional) > 0 {
		problems = append(problems, fmt.Sprintf("got additional arguments: %q", positional))
	}
	return problems
}

func (o Option) check(value string) error {
	switch o.Kind {
	case Bool:
		if _, ok := parseBool(value); !ok {
			return fmt.Errorf("unable to parse boolean option.")
		}
	case Int:
		if n, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("unable to parse integer value")
		} else if n < 0 {
			return fmt.Errorf("value must have a minimum value of 0 (got %d)", n)
		}
	}
	if len(o.Choices) > 0 {
		for _, choice := range o.Choices {
			if value == choice {
				return nil
			}
		}
		return fmt.Errorf("value '%s' is not defined in the enumeration (%s)", value, strings.Join(o.Choices, "|"))
	}
	if o.Check != nil {
		return o.Check(value)
	}
	return nil
}

func (p Program) synopsis(c Command) string {
	out := p.Name + " " + c.Words
	for _, a := range c.Args {
		text := "<" + a.Name + ">"
		switch {
		case a.Repeated:
			text = "{" + text + "}"
		case a.Optional:
			text = "[" + text + "]"
		}
		out += " " + text
	}
	if len(c.Options) > 0 {
		out += " [OPTIONS]"
	}
	return out
}

func (p Program) usage(out io.Writer, words string) {
	fmt.Fprintf(out, "%s: %s\n", p.Name, p.Note)
	detailed := false
	for _, c := range p.Commands {
		if words == "" || !strings.HasPrefix(c.Words+" ", words+" ") {
			continue
		}
		detailed = true
		fmt.Fprintf(out, "\nUsage: %s\n\n%s\n", p.synopsis(c), c.Help)
		for _, o := range c.Options {
			kind := map[Kind]string{String: " <string>", Int: " <integer>", List: " <string> (repeatable)", Bool: ""}[o.Kind]
			if len(o.Choices) > 0 {
				kind = " " + strings.Join(o.Choices, "|")
			}
			fmt.Fprintf(out, "  --%s%s  %s\n", o.Name, kind, o.Help)
		}
	}
	if detailed {
		return
	}
	fmt.Fprintf(out, "\nUsage:\n\n")
	lines := make([]string, 0, len(p.Commands))
	for _, c := range p.Commands {
		lines = append(lines, p.synopsis(c))
	}
	sort.Strings(lines)
	fmt.Fprintf(out, "%s\n%s help [<command>]\n", strings.Join(lines, "\n"), p.Name)
}
