// The values of a command line.

package cli

import (
	"strconv"
	"strings"
)

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
