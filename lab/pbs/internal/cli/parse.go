// Reads a command line against what its command takes.

package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parameterError is shown together with the command's usage.
type parameterError []string

func (e parameterError) Error() string {
	return "parameter verification errors\n\n" + strings.Join(e, "\n")
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
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			positional = append(positional, args...)
			args = nil
		case len(arg) < 2 || arg[0] != '-':
			positional = append(positional, arg)
		default:
			var found parameterError
			args, found = c.parseOption(params, arg, args)
			problems = append(problems, found...)
		}
	}
	problems = append(problems, c.assign(params, positional)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return params, nil
}

// parseOption adds an option to the parameters. It returns the arguments after the option's value.
func (c Command) parseOption(params Params, arg string, next []string) (rest []string, problems parameterError) {
	name, value, given := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
	option, known := c.option(name)
	if !given {
		var ok bool
		if value, next, ok = option.value(known, next); !ok && known {
			return next, parameterError{bad(name, "missing parameter value.")}
		}
	}
	if !known {
		return next, parameterError{bad(name, "schema does not allow additional properties.")}
	}
	if err := option.check(value); err != nil {
		problems = append(problems, bad(name, "%v", err))
	}
	if params.Has(name) && option.Kind != List {
		problems = append(problems, bad(name, "parameter given more than once"))
	}
	params[name] = append(params[name], value)
	return next, problems
}

// value takes an option's value from the arguments after its name. A switch needs none.
func (o Option) value(known bool, next []string) (value string, rest []string, ok bool) {
	if known && o.Kind == Bool {
		if len(next) > 0 {
			if _, ok := parseBool(next[0]); ok {
				return next[0], next[1:], true
			}
		}
		return "true", next, true
	}
	if len(next) > 0 && (known || !strings.HasPrefix(next[0], "-")) {
		return next[0], next[1:], true
	}
	return "", next, false
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
			problems = append(problems, a.problems(value)...)
			params[a.Name] = append(params[a.Name], value)
		}
		positional = positional[take:]
	}
	if len(positional) > 0 {
		problems = append(problems, fmt.Sprintf("got additional arguments: %q", positional))
	}
	return problems
}

func (a Arg) problems(value string) parameterError {
	if a.Check == nil {
		return nil
	}
	if err := a.Check(value); err != nil {
		return parameterError{bad(a.Name, "%v", err)}
	}
	return nil
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
	switch {
	case len(o.Choices) > 0 && !slices.Contains(o.Choices, value):
		return fmt.Errorf("value '%s' is not defined in the enumeration (%s)", value, strings.Join(o.Choices, "|"))
	case len(o.Choices) == 0 && o.Check != nil:
		return o.Check(value)
	}
	return nil
}
