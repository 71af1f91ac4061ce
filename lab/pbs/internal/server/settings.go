// Package server is a backup server with the documented protocol, for the lab.
package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"docker-node/lab/pbs/internal/format"
)

// Settings is the one file the server is told things by. It is read again whenever it changes.
type Settings struct {
	Listen     string      `json:"listen"` // address:port; at start only
	State      string      `json:"state"`  // directory of certificate, key and ticket key; at start only
	Ready      string      `json:"ready"`  // file written when the server listens
	Datastores []Datastore `json:"datastores"`
	Users      []Account   `json:"users"`
	Tokens     []Account   `json:"tokens"`
	ACL        []ACLEntry  `json:"acl"`
	// PruneJobs as the API shows them: id, store, ns, schedule, keep-daily and so on. They are not run.
	PruneJobs []map[string]any `json:"pruneJobs,omitempty"`
}

// Datastore is a directory of chunks and snapshots.
type Datastore struct {
	Name       string   `json:"name"`
	Path       string   `json:"path"`
	Quota      int64    `json:"quota,omitempty"`      // bytes; 0: what the file system has
	Namespaces []string `json:"namespaces,omitempty"` // made if they are not there
}

// Account is a user or an API token.
type Account struct {
	ID      string `json:"id"`
	Secret  string `json:"secret,omitempty"` // a user without one cannot log in
	Expire  int64  `json:"expire,omitempty"` // epoch; 0: never
	Disable bool   `json:"disable,omitempty"`
}

// ACLEntry gives a role on a path.
type ACLEntry struct {
	Path      string `json:"path"`
	Auth      string `json:"auth"`
	Role      string `json:"role"`
	Propagate *bool  `json:"propagate,omitempty"` // default true
}

func (s *Settings) check() error {
	seen := map[string]bool{}
	for _, d := range s.Datastores {
		if !format.IDRegexp.MatchString(d.Name) || !filepath.IsAbs(d.Path) || seen[d.Name] {
			return fmt.Errorf("datastore %q at %q: needs a name of its own and an absolute path", d.Name, d.Path)
		}
		seen[d.Name] = true
		for _, ns := range d.Namespaces {
			if err := format.CheckNamespace(ns); err != nil || ns == "" {
				return fmt.Errorf("datastore %q: namespace %q is none", d.Name, ns)
			}
		}
	}
	for _, a := range append(append([]Account{}, s.Users...), s.Tokens...) {
		if !strings.Contains(a.ID, "@") || a.Secret == "" && format.IsToken(a.ID) {
			return fmt.Errorf("account %q: needs user@realm, and a token a secret", a.ID)
		}
	}
	for _, e := range s.ACL {
		if _, known := roles[e.Role]; !known || !strings.HasPrefix(e.Path, "/") {
			return fmt.Errorf("acl of %q: role %q on %q is none", e.Auth, e.Role, e.Path)
		}
	}
	return nil
}

// LoadSettings reads and checks the file.
func LoadSettings(path string) (*Settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s Settings
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &s, nil
}

// watched settings follow their file. A change that cannot be read leaves them as they are.
type watched struct {
	path    string
	mutex   sync.Mutex
	current *Settings
	stamp   string
	changed func(*Settings)
	log     func(string, ...any)
}

func stampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "gone"
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size())
}

func (w *watched) get() *Settings {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	stamp := stampOf(w.path)
	if stamp == w.stamp {
		return w.current
	}
	w.stamp = stamp
	fresh, err := LoadSettings(w.path)
	if err != nil {
		w.log("settings not read again: %v", err)
		return w.current
	}
	w.current = fresh
	w.changed(fresh)
	return fresh
}
