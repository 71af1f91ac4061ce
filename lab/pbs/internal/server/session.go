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
	"sync"

	"docker-node/lab/pbs/internal/format"
)

// session is a backup under way. What it writes lies in a staging directory until finish moves it, in one
// step, to where snapshots are.
type session struct {
	store    *store
	ns       string
	snapshot format.Snapshot
	owner    string // of a group that is not there yet
	base     *format.Snapshot
	staging  string
	mutex    sync.Mutex
	chunks   map[format.Digest]int64 // sizes of those that may be referred to; guarded by the store's mutex
	writers  map[int]*writer
	next     int
	files    map[string]fileSum
	finished bool
	release  []func()
}

// defaultChunk is the size of an image's chunks if it has only one.
const defaultChunk = 4 << 20

type fileSum struct {
	size int64
	csum format.Digest
}

// begin takes the group's lock and makes the staging directory.
func begin(st *store, ns string, b format.Snapshot, who string) (*session, error) {
	group := st.groupPath(ns, b.Group)
	if !st.lock(group) {
		return nil, fmt.Errorf("unable to acquire lock on backup group directory %q - another backup is already running", group)
	}
	s := &session{store: st, ns: ns, snapshot: b, chunks: map[format.Digest]int64{}, writers: map[int]*writer{}, files: map[string]fileSum{}}
	s.release = append(s.release, func() { st.unlock(group) })
	if err := s.prepare(who); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (s *session) prepare(who string) error {
	st := s.store
	owner, err := st.owner(s.ns, s.snapshot.Group)
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.owner = who
	case err != nil:
		return err
	case !owns(who, owner):
		return fmt.Errorf("backup owner check failed (%s != %s)", who, owner)
	}
	if list := st.snapshots(s.ns, s.snapshot.Group); len(list) > 0 {
		last := list[len(list)-1]
		if s.snapshot.Time <= last.Time {
			return errors.New("backup timestamp is older than last backup.")
		}
		s.base = &last
		s.release = append(s.release, st.hold(st.snapshotPath(s.ns, last)))
	}
	if s.staging, err = os.MkdirTemp(filepath.Join(st.Path, stagingOf), "backup-"); err != nil {
		return err
	}
	st.mutex.Lock()
	defer st.mutex.Unlock()
	st.active[s] = true
	return nil
}

// owns: a token's user may do what the token may, not the other way round.
func owns(who, owner string) bool {
	return who == owner || format.IsToken(owner) && format.UserOf(owner) == who
}

// end gives everything back; what is not finished is gone.
func (s *session) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	st := s.store
	st.mutex.Lock()
	delete(st.active, s)
	st.mutex.Unlock()
	if s.staging != "" {
		st.used.Add(-sizeOf(s.staging))
		os.RemoveAll(s.staging)
	}
	for _, release := range s.release {
		release()
	}
	s.release = nil
}

// use notes a chunk, so that garbage collection spares it.
func (s *session) use(d format.Digest, size int64) {
	s.store.mutex.Lock()
	defer s.store.mutex.Unlock()
	s.chunks[d] = size
}

func (s *session) sizeOf(d format.Digest) (int64, bool) {
	s.store.mutex.Lock()
	defer s.store.mutex.Unlock()
	size, known := s.chunks[d]
	return size, known
}

func (s *session) routes() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, handle func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			data, err := handle(r)
			if raw, ok := data.(rawData); ok && err == nil {
				_, _ = w.Write(raw)
				return
			}
			answer(w, data, err)
		})
	}
	for _, kind := range []string{"fixed", "dynamic"} {
		route("POST /"+kind+"_index", s.createIndex)
		route("PUT /"+kind+"_index", s.append)
		route("POST /"+kind+"_chunk", s.chunk)
		route("POST /"+kind+"_close", s.closeIndex)
	}
	route("POST /blob", s.blob)
	route("GET /previous", s.previous)
	route("GET /previous_backup_time", func(*http.Request) (any, error) {
		if s.base == nil {
			return nil, nil
		}
		return s.base.Time, nil
	})
	route("POST /finish", s.finish)
	return mux
}

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
	return rawData(raw), nil
}
