// Package cli is the documented grammar of Proxmox's command line tools: options as --name value or
// --name=value, anywhere between the arguments; switches with an optional value; commands by unique
// abbreviation; errors as "Error: …" with exit status 255.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
	if slices.Contains(rest, "--help") {
		p.usage(stdout, command.Words)
		return 0
	}
	err = command.execute(rest)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "Error: %v\n", err)
	if errors.As(err, new(parameterError)) {
		fmt.Fprintf(stderr, "\nUsage: %s\n", p.synopsis(*command))
	}
	return 255
}

func (c Command) execute(args []string) error {
	params, err := c.parse(args)
	if err != nil {
		return err
	}
	return c.Run(params)
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
		word, err := unique(p.candidates(said, depth), args[depth])
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

// candidates are the words that may follow those that were said.
func (p Program) candidates(said string, depth int) map[string]bool {
	next := map[string]bool{}
	for _, c := range p.Commands {
		words := strings.Fields(c.Words)
		if len(words) > depth && strings.Join(words[:depth], " ") == said {
			next[words[depth]] = true
		}
	}
	return next
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
