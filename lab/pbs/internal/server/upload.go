// Blobs of a backup under way, and files of the one before it.

package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"docker-node/lab/pbs/internal/format"
)

type rawData []byte

func body(r *http.Request, announced string) ([]byte, error) {
	want, err := strconv.Atoi(announced)
	if err != nil || want < 1 || want > format.MaxBlob+64 {
		return nil, errors.New("parameter 'encoded-size': value out of range")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, int64(want)+1))
	if err == nil && len(raw) != want {
		err = errors.New("uploaded chunk has unexpected size.")
	}
	return raw, err
}

func (s *session) archive(name, end string) error {
	if !format.ArchiveRegexp.MatchString(name) || !strings.HasSuffix(name, end) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("wrong archive extension: '%s'", name)
	}
	if _, there := s.files[name]; there {
		return fmt.Errorf("file '%s' already exists", name)
	}
	return nil
}

func (s *session) blob(r *http.Request) (any, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	name := r.URL.Query().Get("file-name")
	if err := s.archive(name, ".blob"); err != nil {
		return nil, err
	}
	raw, err := body(r, r.URL.Query().Get("encoded-size"))
	if err != nil {
		return nil, err
	}
	if err := format.CheckBlob(raw); err != nil {
		return nil, err
	}
	if err := s.store.write(filepath.Join(s.staging, name), raw); err != nil {
		return nil, fmt.Errorf("writing '%s' failed - %w", name, err)
	}
	s.files[name] = fileSum{int64(len(raw)), sha256.Sum256(raw)}
	return nil, nil
}

// previous gives a file of the last backup. Chunks of an index that are still there may be referred to.
func (s *session) previous(r *http.Request) (any, error) {
	name := r.URL.Query().Get("archive-name")
	if s.base == nil || !format.ArchiveRegexp.MatchString(name) {
		return nil, errors.New("no previous backup")
	}
	raw, err := os.ReadFile(filepath.Join(s.store.snapshotPath(s.ns, *s.base), name))
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".blob") {
		return rawData(raw), nil
	}
	index, err := format.DecodeIndex(raw)
	if err != nil {
		return nil, err
	}
	s.useAll(index)
	return rawData(raw), nil
}

// useAll notes the chunks of an index that are there.
func (s *session) useAll(index *format.Index) {
	s.store.collect.RLock()
	defer s.store.collect.RUnlock()
	there := map[format.Digest]bool{}
	for i, d := range index.Digests {
		if _, seen := there[d]; !seen {
			_, err := os.Stat(s.store.chunkPath(d))
			there[d] = err == nil
		}
		if start, end := index.Range(i); there[d] {
			s.use(d, end-start)
		}
	}
}
