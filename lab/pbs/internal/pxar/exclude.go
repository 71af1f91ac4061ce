// Leaves out what the excludes say, and writes them down in the archive.

package pxar

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const excludeCli = ".pxarexclude-cli"

// excludeFile keeps in the archive what was excluded on the command line.
func (e *encoder) excludeFile() error {
	var text strings.Builder
	for _, p := range e.patterns[:e.own] {
		text.WriteString(p.text + "\n")
	}
	e.Catalog.Add('f', excludeCli, int64(text.Len()), 0)
	return errors.Join(e.item(tFilename, []byte(excludeCli), []byte{0}),
		e.writeMetadata(Metadata{Stat: Stat{Mode: syscall.S_IFREG | 0o600}}),
		e.item(tPayload, []byte(text.String())))
}

func (e *encoder) readExcludes(dir string) {
	text, err := os.ReadFile(filepath.Join(e.root, dir, ".pxarexclude"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		glob, include := strings.CutPrefix(line, "!")
		p, err := ParsePattern(glob, dir, include)
		if err != nil {
			e.Warn("bad pattern in %q: %v", dir, err)
			continue
		}
		e.patterns = append(slices.Clip(e.patterns), p)
	}
}
