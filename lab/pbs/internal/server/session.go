package server

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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
	if err := s.checkOwner(who); err != nil {
		return err
	}
	st := s.store
	if list := st.snapshots(s.ns, s.snapshot.Group); len(list) > 0 {
		last := list[len(list)-1]
		if s.snapshot.Time <= last.Time {
			return errors.New("backup timestamp is older than last backup.")
		}
		s.base = &last
		s.release = append(s.release, st.hold(st.snapshotPath(s.ns, last)))
	}
	staging, err := os.MkdirTemp(filepath.Join(st.Path, stagingOf), "backup-")
	if err != nil {
		return err
	}
	s.staging = staging
	st.mutex.Lock()
	defer st.mutex.Unlock()
	st.active[s] = true
	return nil
}

// checkOwner lets the owner of a group in; who begins a group owns it.
func (s *session) checkOwner(who string) error {
	owner, err := s.store.owner(s.ns, s.snapshot.Group)
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.owner = who
	case err != nil:
		return err
	case !owns(who, owner):
		return fmt.Errorf("backup owner check failed (%s != %s)", who, owner)
	}
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
	route("GET /previous_backup_time", s.previousTime)
	route("POST /finish", s.finish)
	return mux
}

func (s *session) previousTime(*http.Request) (any, error) {
	if s.base == nil {
		return nil, nil
	}
	return s.base.Time, nil
}
