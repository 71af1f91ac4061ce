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
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			switch {
			case strings.HasPrefix(glob[i:], "**/"):
				out.WriteString("(?:.*/)?")
				i += 2
			case strings.HasPrefix(glob[i:], "**"):
				out.WriteString(".*")
				i++
			default:
				out.WriteString("[^/]*")
			}
		case '?':
			out.WriteString("[^/]")
		case '[':
			end := strings.IndexByte(glob[i+1:], ']')
			if end < 1 {
				return "", fmt.Errorf("unterminated character class")
			}
			class := strings.ReplaceAll(glob[i+1:i+1+end], `\`, `\\`)
			if class[0] == '!' {
				class = "^" + class[1:]
			}
			out.WriteString("[" + class + "]")
			i += end + 1
		case '\\':
			if i++; i == len(glob) {
				return "", fmt.Errorf("trailing backslash")
			}
			out.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			out.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return out.String(), nil
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
