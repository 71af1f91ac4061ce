// What --help prints.

package cli

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

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

func (o Option) describe(out io.Writer) {
	kind := map[Kind]string{String: " <string>", Int: " <integer>", List: " <string> (repeatable)", Bool: ""}[o.Kind]
	if len(o.Choices) > 0 {
		kind = " " + strings.Join(o.Choices, "|")
	}
	fmt.Fprintf(out, "  --%s%s  %s\n", o.Name, kind, o.Help)
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
			o.describe(out)
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
