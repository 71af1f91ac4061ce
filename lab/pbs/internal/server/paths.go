// What lies where in a datastore.

package server

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"docker-node/lab/pbs/internal/format"
)

func (s *store) nsPath(ns string) string {
	path := s.Path
	for _, name := range strings.FieldsFunc(ns, func(r rune) bool { return r == '/' }) {
		path = filepath.Join(path, "ns", name)
	}
	return path
}

func (s *store) hasNamespace(ns string) bool {
	info, err := os.Stat(s.nsPath(ns))
	return err == nil && info.IsDir()
}

func (s *store) groupPath(ns string, g format.Group) string {
	return filepath.Join(s.nsPath(ns), g.Type, g.ID)
}

func (s *store) snapshotPath(ns string, b format.Snapshot) string {
	return filepath.Join(s.groupPath(ns, b.Group), format.TimeString(b.Time))
}

func (s *store) chunkPath(d format.Digest) string {
	name := d.String()
	return filepath.Join(s.Path, chunksDir, name[:4], name)
}

// groups of a namespace, sorted.
func (s *store) groups(ns string) (list []format.Group) {
	for _, kind := range []string{"ct", "host", "vm"} {
		entries, _ := os.ReadDir(filepath.Join(s.nsPath(ns), kind))
		for _, entry := range entries {
			if entry.IsDir() && format.IDRegexp.MatchString(entry.Name()) {
				list = append(list, format.Group{Type: kind, ID: entry.Name()})
			}
		}
	}
	return list
}

// snapshots of a group, oldest first.
func (s *store) snapshots(ns string, g format.Group) (list []format.Snapshot) {
	entries, _ := os.ReadDir(s.groupPath(ns, g))
	for _, entry := range entries {
		if when, err := time.Parse(format.TimeFormat, entry.Name()); err == nil && entry.IsDir() {
			list = append(list, format.Snapshot{Group: g, Time: when.Unix()})
		}
	}
	slices.SortFunc(list, func(a, b format.Snapshot) int { return int(a.Time - b.Time) })
	return list
}

func (s *store) owner(ns string, g format.Group) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.groupPath(ns, g), "owner"))
	return strings.TrimSpace(string(text)), err
}

// namespaces below one, itself included, to a depth.
func (s *store) namespaces(parent string, depth int) (list []string) {
	if !s.hasNamespace(parent) {
		return nil
	}
	list = append(list, parent)
	if depth == 0 {
		return list
	}
	entries, _ := os.ReadDir(filepath.Join(s.nsPath(parent), "ns"))
	for _, entry := range entries {
		child := strings.TrimPrefix(parent+"/"+entry.Name(), "/")
		if entry.IsDir() && format.CheckNamespace(child) == nil {
			list = append(list, s.namespaces(child, depth-1)...)
		}
	}
	return list
}
