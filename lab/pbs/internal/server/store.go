package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"docker-node/lab/pbs/internal/format"
)

const (
	chunksDir = ".chunks"
	stagingOf = ".staging" // of snapshots not yet complete
)

// store is a datastore on disk: <path>/[ns/<name>/…]<type>/<id>/<time>/<files>, chunks by digest.
type store struct {
	Datastore
	quota   atomic.Int64
	used    atomic.Int64 // bytes in chunks and snapshots
	collect sync.RWMutex // held to write by garbage collection
	mutex   sync.Mutex   // of what follows
	locked  map[string]bool
	inUse   map[string]int    // snapshots being read or built upon
	active  map[*session]bool // backups under way
	log     func(string, ...any)
}

func openStore(d Datastore, log func(string, ...any)) (*store, error) {
	s := &store{Datastore: d, locked: map[string]bool{}, inUse: map[string]int{}, active: map[*session]bool{}, log: log}
	s.quota.Store(d.Quota)
	for _, dir := range []string{chunksDir, stagingOf} {
		if err := os.MkdirAll(filepath.Join(d.Path, dir), 0o700); err != nil {
			return nil, err
		}
	}
	if err := s.clean(); err != nil {
		return nil, err
	}
	s.makeNamespaces(d.Namespaces)
	return s, nil
}

// clean removes what was left by a server that ended in the midst of things, and counts what is there.
func (s *store) clean() error {
	left, err := os.ReadDir(filepath.Join(s.Path, stagingOf))
	if err != nil {
		return err
	}
	for _, entry := range left {
		s.log("datastore %s: removing unfinished backup %s", s.Name, entry.Name())
		if err := os.RemoveAll(filepath.Join(s.Path, stagingOf, entry.Name())); err != nil {
			return err
		}
	}
	if _, err := s.garbageCollect(); err != nil { // nothing is removed then
		s.log("datastore %s: no garbage collection: %v", s.Name, err)
		s.used.Store(sizeOf(s.Path))
	}
	return nil
}

func (s *store) makeNamespaces(list []string) {
	for _, ns := range list {
		if err := os.MkdirAll(s.nsPath(ns), 0o755); err != nil {
			s.log("datastore %s: namespace %s: %v", s.Name, ns, err)
		}
	}
}

var errNoSpace = errors.New("No space left on device (os error 28)")

// reserve counts bytes in before they are written.
func (s *store) reserve(n int64) error {
	if quota := s.quota.Load(); s.used.Add(n) > quota && quota > 0 {
		s.used.Add(-n)
		return errNoSpace
	}
	return nil
}

// write makes a file that is there whole or not at all.
func (s *store) write(path string, data []byte) error {
	if err := s.reserve(int64(len(data))); err != nil {
		return err
	}
	temporary := path + ".tmp"
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err == nil {
		temporary = file.Name()
		_, err = file.Write(data)
		err = errors.Join(err, file.Close())
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
		s.used.Add(-int64(len(data)))
		if errors.Is(err, syscall.ENOSPC) {
			return errNoSpace
		}
	}
	return err
}

// insert keeps a chunk, unless it is there.
func (s *store) insert(d format.Digest, raw []byte) error {
	path := s.chunkPath(d)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = s.write(path, raw)
	}
	if err != nil {
		return fmt.Errorf("inserting chunk on store '%s' failed for %s - %w", s.Name, d, err)
	}
	return nil
}

func (s *store) manifest(ns string, b format.Snapshot) (*format.Manifest, int64, error) {
	raw, err := os.ReadFile(filepath.Join(s.snapshotPath(ns, b), format.ManifestName))
	if err != nil {
		return nil, 0, err
	}
	text, err := format.DecodeBlob(raw, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("decode backup manifest blob failed - %w", err)
	}
	m, err := format.ParseManifest(text, nil)
	return m, int64(len(raw)), err
}

// updateManifest changes a manifest's unprotected part.
func (s *store) updateManifest(ns string, b format.Snapshot, change func(*format.Manifest)) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	m, size, err := s.manifest(ns, b)
	if err != nil {
		return err
	}
	change(m)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	raw, err := format.EncodeBlob(text, nil)
	if err != nil {
		return err
	}
	err = s.write(filepath.Join(s.snapshotPath(ns, b), format.ManifestName), raw)
	if err == nil {
		s.used.Add(-size)
	}
	return err
}

func (s *store) protected(ns string, b format.Snapshot) bool {
	_, err := os.Stat(filepath.Join(s.snapshotPath(ns, b), ".protected"))
	return err == nil
}
