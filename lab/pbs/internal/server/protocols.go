// Calls that start the backup and the reader protocol.

package server

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"docker-node/lab/pbs/internal/format"
)

// benchmark is the group that measurements go to, and nothing else.
var benchmark = format.Group{Type: "host", ID: "benchmark"}

// backup opens a session that writes a snapshot.
func (c *call) backup() (http.Handler, func(), error) {
	st, ns, _, err := c.place(backup, 0)
	switch refused := (httpError{}); {
	case errors.Is(err, errNoEntry):
		err = httpError{404, "namespace not found"}
	case errors.As(err, &refused) && refused.status == 403:
		err = forbidden("missing permissions '%s' on '%s'", backup, aclPath(c.form.Get("store"), ns))
	}
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := c.newSnapshot()
	if err != nil {
		return nil, nil, err
	}
	s, err := begin(st, ns, snapshot, c.auth)
	if err != nil {
		return nil, nil, err
	}
	c.server.log("starting new backup on datastore '%s' from %s: %q by %s", st.Name, c.request.RemoteAddr, ns+"/"+s.snapshot.String(), c.auth)
	return s.routes(), func() { c.endBackup(s, ns) }, nil
}

func (c *call) endBackup(s *session, ns string) {
	outcome := "backup failed: connection closed before it was finished; removing it"
	if s.finished {
		outcome = "backup finished successfully"
	}
	s.end()
	c.server.log("%s: %q", outcome, ns+"/"+s.snapshot.String())
}

// newSnapshot is the snapshot that the request begins.
func (c *call) newSnapshot() (format.Snapshot, error) {
	g, err := c.group()
	if err == nil && g == benchmark {
		err = errors.New("unable to run benchmark without --benchmark flags")
	}
	if err != nil {
		return format.Snapshot{}, err
	}
	when, err := strconv.ParseInt(c.form.Get("backup-time"), 10, 64)
	if err != nil || when < 1 {
		return format.Snapshot{}, errors.New("parameter 'backup-time': unable to parse integer value")
	}
	return format.Snapshot{Group: g, Time: when}, nil
}

// read opens a session that reads a snapshot.
func (c *call) read() (http.Handler, func(), error) {
	st, ns, b, err := c.snapshot(read, backup)
	switch refused := (httpError{}); {
	case errors.Is(err, errNoEntry):
		err = fmt.Errorf("snapshot %s does not exist.", b)
	case errors.As(err, &refused) && refused.status == 403:
		err = errors.New("no permissions on " + aclPath(c.form.Get("store"), ns))
	}
	if err != nil {
		return nil, nil, err
	}
	release := st.hold(st.snapshotPath(ns, b))
	return readerRoutes(st, ns, b), release, nil
}

// readerRoutes give the files of a snapshot and the chunks that its indexes name.
func readerRoutes(st *store, ns string, b format.Snapshot) http.Handler {
	path, allowed := st.snapshotPath(ns, b), st.chunksOf(ns, b)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /download", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("file-name")
		if !format.ArchiveRegexp.MatchString(name) {
			answer(w, nil, errors.New("parameter 'file-name': value does not match the regex pattern"))
			return
		}
		send(w, filepath.Join(path, name), name)
	})
	mux.HandleFunc("GET /chunk", func(w http.ResponseWriter, r *http.Request) {
		digest, err := format.ParseDigest(r.URL.Query().Get("digest"))
		if err == nil && !allowed[digest] {
			err = fmt.Errorf("download chunk %s failed - not part of the snapshot", digest)
		}
		if err != nil {
			answer(w, nil, err)
			return
		}
		send(w, st.chunkPath(digest), digest.String())
	})
	return mux
}

// chunksOf are the chunks that the indexes of a snapshot name. An index that cannot be read names none.
func (s *store) chunksOf(ns string, b format.Snapshot) map[format.Digest]bool {
	chunks := map[format.Digest]bool{}
	for _, f := range s.files(ns, b) {
		if !strings.HasSuffix(f.Name, "idx") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(s.snapshotPath(ns, b), f.Name))
		if err != nil {
			continue
		}
		if index, err := format.DecodeIndex(raw); err == nil {
			for _, d := range index.Digests {
				chunks[d] = true
			}
		}
	}
	return chunks
}

func send(w http.ResponseWriter, path, name string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		answer(w, nil, httpError{404, fmt.Sprintf("reading file '%s' failed: %v", name, errors.Unwrap(err))})
		return
	}
	_, _ = w.Write(raw)
}
