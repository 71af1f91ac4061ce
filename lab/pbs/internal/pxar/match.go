package pxar

import (
	"fmt"
	"regexp"
	"strings"
)

// Pattern includes or excludes paths, as documented for .pxarexclude: a later one overrides earlier ones.
type Pattern struct {
	text    string
	include bool
	onlyDir bool
	regexp  *regexp.Regexp
}

// ParsePattern reads a glob. One that begins with a slash is matched from base, the directory it was found
// in ("" for the archive's root); any other matches at every depth.
func ParsePattern(text, base string, include bool) (Pattern, error) {
	p := Pattern{text: text, include: include}
	glob := text
	if p.onlyDir = strings.HasSuffix(glob, "/"); p.onlyDir {
		glob = strings.TrimSuffix(glob, "/")
	}
	prefix := "(?:^|/)"
	if strings.HasPrefix(glob, "/") {
		prefix = "^" + regexp.QuoteMeta(base)
		if base == "" {
			glob = glob[1:]
		}
	}
	if glob == "" {
		return p, fmt.Errorf("pattern '%s' is empty", text)
	}
	body, err := globToRegexp(glob)
	if err != nil {
		return p, fmt.Errorf("pattern '%s': %w", text, err)
	}
	p.regexp, err = regexp.Compile("(?s)" + prefix + body + "$")
	return p, err
}

func globToRegexp(glob string) (string, error) {
	var out strings.Builder
	for glob != "" {
		part, length, err := firstPart(glob)
		if err != nil {
			return "", err
		}
		out.WriteString(part)
		glob = glob[length:]
	}
	return out.String(), nil
}

// firstPart is the first part of a glob as a regular expression, and how long it is in the glob.
func firstPart(glob string) (part string, length int, err error) {
	switch {
	case strings.HasPrefix(glob, "**/"):
		return "(?:.*/)?", 3, nil
	case strings.HasPrefix(glob, "**"):
		return ".*", 2, nil
	case glob[0] == '*':
		return "[^/]*", 1, nil
	case glob[0] == '?':
		return "[^/]", 1, nil
	case glob[0] == '[':
		return characterClass(glob)
	case glob == `\`:
		return "", 0, fmt.Errorf("trailing backslash")
	case glob[0] == '\\':
		return regexp.QuoteMeta(glob[1:2]), 2, nil
	}
	return regexp.QuoteMeta(string(glob[0])), 1, nil
}

func characterClass(glob string) (part string, length int, err error) {
	end := strings.IndexByte(glob[1:], ']')
	if end < 1 {
		return "", 0, fmt.Errorf("unterminated character class")
	}
	class := strings.ReplaceAll(glob[1:1+end], `\`, `\\`)
	if class[0] == '!' {
		class = "^" + class[1:]
	}
	return "[" + class + "]", end + 2, nil
}

// excluded tells whether a path relative to the root is left out.
func excluded(patterns []Pattern, path string, dir bool) bool {
	for i := len(patterns) - 1; i >= 0; i-- {
		if p := patterns[i]; (dir || !p.onlyDir) && p.regexp.MatchString(path) {
			return !p.include
		}
	}
	return false
}
