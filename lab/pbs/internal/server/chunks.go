// Indexes and chunks of a backup under way.

package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"docker-node/lab/pbs/internal/format"
)

type writer struct {
	name  string
	index format.Index
}

func (s *session) createIndex(r *http.Request) (any, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	query := r.URL.Query()
	w := &writer{name: query.Get("archive-name")}
	end := ".didx"
	if strings.HasPrefix(r.URL.Path, "/fixed") {
		end = ".fidx"
		size, err := strconv.ParseInt(query.Get("size"), 10, 64)
		if err != nil || size < 1 {
			return nil, errors.New("parameter 'size': value out of range")
		}
		w.index.Size = size
	}
	if err := s.archive(w.name, end); err != nil {
		return nil, err
	}
	s.next++
	s.writers[s.next] = w
	return s.next, nil
}

func (s *session) writer(text string) (*writer, error) {
	wid, _ := strconv.Atoi(text)
	w, known := s.writers[wid]
	if !known {
		return nil, fmt.Errorf("writer '%s' not registered", text)
	}
	return w, nil
}

func (s *session) chunk(r *http.Request) (any, error) {
	query := r.URL.Query()
	digest, err := format.ParseDigest(query.Get("digest"))
	if err != nil {
		return nil, err
	}
	size, err := strconv.Atoi(query.Get("size"))
	if err != nil || size < 1 || size > format.MaxBlob {
		return nil, errors.New("parameter 'size': value out of range")
	}
	raw, err := body(r, query.Get("encoded-size"))
	if err != nil {
		return nil, err
	}
	if err := format.VerifyUnencrypted(raw, size, digest); err != nil {
		return nil, err
	}
	s.store.collect.RLock()
	defer s.store.collect.RUnlock()
	if err := s.store.insert(digest, raw); err != nil {
		return nil, err
	}
	s.use(digest, int64(size))
	return digest.String(), nil
}

func (s *session) append(r *http.Request) (any, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var list struct {
		WID     int      `json:"wid"`
		Digests []string `json:"digest-list"`
		Offsets []int64  `json:"offset-list"`
	}
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		return nil, err
	}
	w, err := s.writer(strconv.Itoa(list.WID))
	if err != nil {
		return nil, err
	}
	return nil, s.appendAll(w, list.Digests, list.Offsets)
}

func (s *session) appendAll(w *writer, digests []string, offsets []int64) error {
	if len(digests) != len(offsets) {
		return fmt.Errorf("offset list has wrong length (%d != %d)", len(offsets), len(digests))
	}
	for i, text := range digests {
		digest, err := format.ParseDigest(text)
		if err != nil {
			return err
		}
		if err := s.appendOne(w, digest, offsets[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) appendOne(w *writer, digest format.Digest, offset int64) error {
	size, known := s.sizeOf(digest)
	if !known {
		return fmt.Errorf("no such chunk %s", digest)
	}
	x := &w.index
	if format.IsFixed(w.name) {
		if len(x.Digests) == 0 {
			if x.ChunkSize = size; size == x.Size {
				x.ChunkSize = max(size, defaultChunk)
			}
		}
		if offset != int64(len(x.Digests))*x.ChunkSize || offset+size > x.Size {
			return fmt.Errorf("fixed writer '%s' - got strange chunk offset %d", w.name, offset)
		}
		x.Digests = append(x.Digests, digest)
		return nil
	}
	if offset != x.Size {
		return fmt.Errorf("dynamic writer '%s' append chunk failed - got strange chunk offset (%d != %d)", w.name, x.Size, offset)
	}
	x.Size += size
	x.Digests, x.Ends = append(x.Digests, digest), append(x.Ends, x.Size)
	return nil
}

func (s *session) closeIndex(r *http.Request) (any, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	query := r.URL.Query()
	w, err := s.writer(query.Get("wid"))
	if err != nil {
		return nil, err
	}
	if err := w.check(query); err != nil {
		return nil, err
	}
	if err := s.store.write(filepath.Join(s.staging, w.name), w.index.Encode()); err != nil {
		return nil, err
	}
	wid, _ := strconv.Atoi(query.Get("wid"))
	delete(s.writers, wid)
	s.files[w.name] = fileSum{w.index.Size, w.index.Checksum()}
	return nil, nil
}

// check compares an index with what the client says of it.
func (w *writer) check(query url.Values) error {
	x := &w.index
	sum := x.Checksum()
	switch {
	case format.IsFixed(w.name) && (x.ChunkSize == 0 || int64(len(x.Digests)) != x.Count()),
		strconv.Itoa(len(x.Digests)) != query.Get("chunk-count"):
		return fmt.Errorf("writer '%s' close failed - unexpected chunk count (%d)", w.name, len(x.Digests))
	case strconv.FormatInt(x.Size, 10) != query.Get("size"):
		return fmt.Errorf("writer '%s' close failed - unexpected file size (%d != %s)", w.name, x.Size, query.Get("size"))
	case sum.String() != query.Get("csum"):
		return fmt.Errorf("writer '%s' close failed - got unexpected checksum", w.name)
	}
	return nil
}
