// Removes what no snapshot needs, and counts the space.

package server

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"docker-node/lab/pbs/internal/format"
)

// remove forgets a snapshot, and the group with its last one.
func (s *store) remove(ns string, b format.Snapshot) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	path := s.snapshotPath(ns, b)
	if err := s.removable(ns, b); err != nil {
		return err
	}
	grave, err := os.MkdirTemp(filepath.Join(s.Path, stagingOf), "removed-")
	if err == nil {
		err = os.Rename(path, filepath.Join(grave, "snapshot"))
	}
	if err != nil {
		return fmt.Errorf("removing backup snapshot %q failed - %w", path, err)
	}
	s.used.Add(-sizeOf(grave))
	os.RemoveAll(grave)
	if len(s.snapshots(ns, b.Group)) == 0 && !s.locked[s.groupPath(ns, b.Group)] {
		os.RemoveAll(s.groupPath(ns, b.Group))
	}
	return nil
}

// removable tells why a snapshot has to stay.
func (s *store) removable(ns string, b format.Snapshot) error {
	path := s.snapshotPath(ns, b)
	switch _, err := os.Stat(path); {
	case err != nil:
		return fmt.Errorf("snapshot %s does not exist.", b)
	case s.protected(ns, b):
		return fmt.Errorf("cannot remove protected snapshot %s", b)
	case s.inUse[path] > 0:
		return fmt.Errorf("cannot remove snapshot %s: snapshot is locked by another operation", b)
	}
	return nil
}

func sizeOf(root string) (total int64) {
	_ = filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}

// garbageCollect removes chunks that neither a snapshot nor a backup under way refers to.
func (s *store) garbageCollect() (log []string, err error) {
	s.collect.Lock()
	defer s.collect.Unlock()
	log = append(log, "starting garbage collection on store "+s.Name, "Start GC phase1 (mark used chunks)")
	m := marked{chunks: map[format.Digest]bool{}}
	if err := filepath.WalkDir(s.Path, m.mark); err != nil {
		return log, err
	}
	s.mutex.Lock()
	for session := range s.active {
		for d := range session.chunks {
			m.chunks[d] = true
		}
	}
	s.mutex.Unlock()
	log = append(log, "Start GC phase2 (sweep unused chunks)")
	bytes, count, removedBytes, removed := s.sweep(m.chunks)
	s.used.Store(m.kept + bytes)
	return append(log, fmt.Sprintf("Removed bytes: %d", removedBytes), fmt.Sprintf("Removed chunks: %d", removed),
		fmt.Sprintf("Original data bytes: %d", m.data), fmt.Sprintf("Disk bytes: %d", bytes), fmt.Sprintf("Disk chunks: %d", count), "TASK OK"), nil
}

// marked is what the snapshots of a datastore need.
type marked struct {
	chunks map[format.Digest]bool
	kept   int64 // bytes of the snapshots' own files
	data   int64 // bytes that the indexes stand for
}

// mark visits one file of a snapshot, for filepath.WalkDir.
func (m *marked) mark(path string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case entry.IsDir() && (entry.Name() == chunksDir || entry.Name() == stagingOf):
		return fs.SkipDir
	case entry.IsDir():
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	m.kept += info.Size()
	if !strings.HasSuffix(path, "idx") {
		return nil
	}
	return m.markIndex(path)
}

func (m *marked) markIndex(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	index, err := format.DecodeIndex(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	m.data += index.Size
	for _, d := range index.Digests {
		m.chunks[d] = true
	}
	return nil
}

func (s *store) sweep(used map[format.Digest]bool) (bytes, count, removedBytes, removed int64) {
	_ = filepath.WalkDir(filepath.Join(s.Path, chunksDir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		if d, err := format.ParseDigest(entry.Name()); err == nil && used[d] {
			bytes += info.Size()
			count++
			return nil
		}
		if os.Remove(path) == nil {
			removedBytes += info.Size()
			removed++
		}
		return nil
	})
	return bytes, count, removedBytes, removed
}

// usage of the datastore in bytes.
func (s *store) usage() (total, used, avail int64) {
	used = s.used.Load()
	if total = s.quota.Load(); total > 0 {
		return total, used, max(0, total-used)
	}
	var fs syscall.Statfs_t
	if syscall.Statfs(s.Path, &fs) != nil {
		return used, used, 0
	}
	block := int64(fs.Bsize)
	return int64(fs.Blocks) * block, int64(fs.Blocks-fs.Bfree) * block, int64(fs.Bavail) * block
}
