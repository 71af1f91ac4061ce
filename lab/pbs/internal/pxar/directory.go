// Encodes directories: their names, their entries and their lookup tables.

package pxar

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
)

// contents writes a directory's entries and its lookup table.
func (e *encoder) contents(dir string, entryStart uint64) error {
	depth, entries := len(e.patterns), e.entries
	defer func() { e.patterns, e.entries = e.patterns[:depth], entries }()
	e.readExcludes(dir)
	names, err := e.names(dir)
	if err != nil {
		return err
	}
	var table []goodbye
	for _, name := range names {
		start := e.pos
		if dir == "" && name == excludeCli {
			err = e.excludeFile()
		} else {
			err = e.entry(path.Join(dir, name), name)
		}
		if err != nil {
			return err
		}
		if e.pos > start {
			table = append(table, goodbye{hashName(name), start, e.pos - start})
		}
	}
	return e.table(table, entryStart)
}

func (e *encoder) table(items []goodbye, entryStart uint64) error {
	start := e.pos
	size := uint64(16 + 24*(len(items)+1))
	err := e.header(tGoodbye, size)
	for _, g := range searchTree(items) {
		err = errors.Join(err, e.raw(numbers(g.hash, start-g.offset, g.size)))
	}
	return errors.Join(err, e.raw(numbers(goodbyeTail, start-entryStart, size)))
}

func (e *encoder) names(dir string) ([]string, error) {
	listed, err := os.ReadDir(filepath.Join(e.root, dir))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range listed {
		relative := path.Join(dir, entry.Name())
		if dir == "" && entry.Name() == excludeCli || excluded(e.patterns, relative, entry.IsDir()) {
			continue
		}
		if e.entries++; e.MaxEntries > 0 && e.entries > e.MaxEntries {
			return nil, fmt.Errorf("exceeded allowed number of file entries (> %d)", e.MaxEntries)
		}
		names = append(names, entry.Name())
	}
	if dir == "" && e.own > 0 {
		names = append(names, excludeCli)
	}
	slices.Sort(names)
	return names, nil
}

func (e *encoder) directory(relative, name, full string, st *syscall.Stat_t, named func() error) error {
	if _, err := os.ReadDir(full); errors.Is(err, syscall.EACCES) {
		return e.unreadable(relative, err)
	}
	e.Catalog.Start(name)
	defer e.Catalog.End()
	start := e.pos + uint64(16+len(name)+1)
	if err := named(); err != nil {
		return err
	}
	outer := e.device
	defer func() { e.device = outer }()
	if st.Dev != outer {
		if isVirtual(full) || !e.AllFileSystems && !e.Devices[st.Dev] {
			e.Warn("skip mount point: %q", relative)
			return e.table(nil, start)
		}
		e.device = st.Dev
	}
	return e.contents(relative, start)
}
