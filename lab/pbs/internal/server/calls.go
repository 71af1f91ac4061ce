package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"docker-node/lab/pbs/internal/format"
)

// store named in the request.
func (c *call) store() (*store, error) {
	name := c.request.PathValue("store")
	if name == "" {
		name = c.form.Get("store")
	}
	c.server.mutex.Lock()
	st := c.server.stores[name]
	c.server.mutex.Unlock()
	if _, listed := findStore(c.settings.Datastores, name); st == nil || !listed {
		return nil, httpError{404, fmt.Sprintf("no such datastore '%s'", name)}
	}
	return st, nil
}

func findStore(list []Datastore, name string) (Datastore, bool) {
	for _, d := range list {
		if d.Name == name {
			return d, true
		}
	}
	return Datastore{}, false
}

func aclPath(store, ns string) string {
	return strings.TrimSuffix("/datastore/"+store+"/"+ns, "/")
}

func (c *call) privileges(store, ns string) privilege {
	return c.settings.privileges(c.auth, aclPath(store, ns))
}

// allowed asks for one of the full privileges, or of the partial ones, which go with ownership only.
func (c *call) allowed(store, ns string, full, partial privilege) (ownedOnly bool, err error) {
	got := c.privileges(store, ns)
	switch {
	case got&full != 0:
		return false, nil
	case got&partial != 0:
		return true, nil
	}
	return false, forbidden("permission check failed - missing %s on %s", full|partial, aclPath(store, ns))
}

// place is the store and namespace of a request, with whether only owned groups are within reach.
func (c *call) place(full, partial privilege) (st *store, ns string, ownedOnly bool, err error) {
	ns = c.form.Get("ns")
	if err = format.CheckNamespace(ns); err != nil {
		return nil, ns, false, fmt.Errorf("parameter 'ns': %w", err)
	}
	name := c.request.PathValue("store")
	if name == "" {
		name = c.form.Get("store")
	}
	if ownedOnly, err = c.allowed(name, ns, full, partial); err != nil {
		return nil, ns, false, err
	}
	if st, err = c.store(); err == nil && !st.hasNamespace(ns) {
		err = errNoEntry
	}
	return st, ns, ownedOnly, err
}

func (c *call) group() (g format.Group, err error) {
	return format.ParseGroup(c.form.Get("backup-type") + "/" + c.form.Get("backup-id"))
}

// snapshot named in the request, and there; owner checked if that is needed.
func (c *call) snapshot(full, partial privilege) (st *store, ns string, b format.Snapshot, err error) {
	g, err := c.group()
	if err != nil {
		return nil, ns, b, err
	}
	when, err := strconv.ParseInt(c.form.Get("backup-time"), 10, 64)
	if err != nil {
		return nil, ns, b, errors.New("parameter 'backup-time': unable to parse integer value")
	}
	b = format.Snapshot{Group: g, Time: when}
	st, ns, ownedOnly, err := c.place(full, partial)
	if err != nil {
		return nil, ns, b, err
	}
	if _, err := os.Stat(st.snapshotPath(ns, b)); err != nil {
		return nil, ns, b, fmt.Errorf("snapshot %s does not exist.", b)
	}
	if ownedOnly {
		err = c.checkOwner(st, ns, g)
	}
	return st, ns, b, err
}

func (c *call) checkOwner(st *store, ns string, g format.Group) error {
	owner, err := st.owner(ns, g)
	if err != nil {
		return err
	}
	if !owns(c.auth, owner) {
		return fmt.Errorf("backup owner check failed (%s != %s)", c.auth, owner)
	}
	return nil
}

// visible groups of a namespace.
func (c *call) visible(st *store, ns string, ownedOnly bool) (list []format.Group) {
	for _, g := range st.groups(ns) {
		owner, err := st.owner(ns, g)
		if err == nil && (!ownedOnly || owns(c.auth, owner)) {
			list = append(list, g)
		}
	}
	return list
}

func (c *call) groups() (any, error) {
	st, ns, ownedOnly, err := c.place(audit, backup)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, g := range c.visible(st, ns, ownedOnly) {
		snapshots := st.snapshots(ns, g)
		if len(snapshots) == 0 {
			continue
		}
		last := snapshots[len(snapshots)-1]
		owner, _ := st.owner(ns, g)
		files := []string{}
		for _, f := range st.files(ns, last) {
			files = append(files, f.Name)
		}
		list = append(list, map[string]any{"backup-type": g.Type, "backup-id": g.ID, "last-backup": last.Time,
			"backup-count": len(snapshots), "files": files, "owner": owner})
	}
	return list, nil
}

// files of a snapshot, by its manifest; with the manifest, and a log if there is one.
func (s *store) files(ns string, b format.Snapshot) []format.File {
	m, size, err := s.manifest(ns, b)
	if err != nil {
		return nil
	}
	list := slices.Clone(m.Files)
	for i := range list {
		list[i].Csum = ""
	}
	mode := "none"
	if m.Signature != "" {
		mode = "sign-only"
	}
	list = append(list, format.File{Name: format.ManifestName, Size: size, CryptMode: mode})
	if info, err := os.Stat(filepath.Join(s.snapshotPath(ns, b), format.LogName)); err == nil {
		list = append(list, format.File{Name: format.LogName, Size: info.Size(), CryptMode: "none"})
	}
	return list
}

func (c *call) snapshots() (any, error) {
	st, ns, ownedOnly, err := c.place(audit, backup)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, g := range c.visible(st, ns, ownedOnly) {
		if id := c.form.Get("backup-id"); id != "" && id != g.ID {
			continue
		}
		if kind := c.form.Get("backup-type"); kind != "" && kind != g.Type {
			continue
		}
		owner, _ := st.owner(ns, g)
		for _, b := range st.snapshots(ns, g) {
			list = append(list, st.describe(ns, b, owner))
		}
	}
	return list, nil
}

func (s *store) describe(ns string, b format.Snapshot, owner string) map[string]any {
	files, size := s.files(ns, b), int64(0)
	for _, f := range files {
		size += f.Size
	}
	item := map[string]any{"backup-type": b.Type, "backup-id": b.ID, "backup-time": b.Time, "files": files, "size": size,
		"owner": owner, "protected": s.protected(ns, b)}
	if m, _, err := s.manifest(ns, b); err == nil {
		if fingerprint := m.Fingerprint(); fingerprint != "" {
			item["fingerprint"] = fingerprint
		}
		if notes, _ := m.Unprotected["notes"].(string); notes != "" {
			item["comment"], _, _ = strings.Cut(notes, "\n")
		}
	}
	return item
}

func (c *call) files() (any, error) {
	st, ns, b, err := c.snapshot(audit|read, backup)
	if err != nil {
		return nil, err
	}
	return st.files(ns, b), nil
}

func (c *call) forget() (any, error) {
	st, ns, b, err := c.snapshot(modify, prune)
	if err != nil {
		return nil, err
	}
	return nil, st.remove(ns, b)
}

func (c *call) notes() (any, error) {
	st, ns, b, err := c.snapshot(audit, backup)
	if err != nil {
		return nil, err
	}
	m, _, err := st.manifest(ns, b)
	if err != nil {
		return nil, err
	}
	notes, _ := m.Unprotected["notes"].(string)
	return notes, nil
}

func (c *call) setNotes() (any, error) {
	st, ns, b, err := c.snapshot(modify, backup)
	if err != nil {
		return nil, err
	}
	return nil, st.updateManifest(ns, b, func(m *format.Manifest) { m.Unprotected["notes"] = c.form.Get("notes") })
}

func (c *call) protected() (any, error) {
	st, ns, b, err := c.snapshot(audit, backup)
	if err != nil {
		return nil, err
	}
	return st.protected(ns, b), nil
}

func (c *call) setProtected() (any, error) {
	st, ns, b, err := c.snapshot(modify, backup)
	if err != nil {
		return nil, err
	}
	mark := filepath.Join(st.snapshotPath(ns, b), ".protected")
	if c.form.Get("protected") == "true" || c.form.Get("protected") == "1" {
		return nil, os.WriteFile(mark, nil, 0o644)
	}
	if err := os.Remove(mark); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return nil, nil
}

func (c *call) uploadLog() (any, error) {
	st, ns, b, err := c.snapshot(0, backup)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(st.snapshotPath(ns, b), format.LogName)
	if _, err := os.Stat(path); err == nil {
		return nil, errors.New("backup already contains a log.")
	}
	raw, err := io.ReadAll(io.LimitReader(c.request.Body, format.MaxBlob+64))
	if err == nil {
		err = format.CheckBlob(raw)
	}
	if err == nil {
		err = st.write(path, raw)
	}
	return nil, err
}

func (c *call) prune() (any, error) {
	st, ns, ownedOnly, err := c.place(modify, prune)
	if err != nil {
		return nil, err
	}
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	list := st.snapshots(ns, g)
	if len(list) == 0 {
		return nil, fmt.Errorf("backup group %s does not exist", g)
	}
	if ownedOnly {
		if err := c.checkOwner(st, ns, g); err != nil {
			return nil, err
		}
	}
	rules := map[string]int{}
	for _, rule := range keepRules {
		if text := c.form.Get(rule.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("parameter '%s': value must have a minimum value of 1 (got %s)", rule.name, text)
			}
			rules[rule.name] = n
		}
	}
	stay, result := keep(list, rules), []map[string]any{}
	for _, b := range list {
		protected := st.protected(ns, b)
		result = append(result, map[string]any{"backup-type": b.Type, "backup-id": b.ID, "backup-time": b.Time, "keep": stay[b] || protected, "protected": protected})
		if stay[b] || protected || c.form.Get("dry-run") == "true" {
			continue
		}
		if err := st.remove(ns, b); err != nil {
			return nil, err
		}
		c.server.log("prune: %s removed %s/%s by %s", st.Name, ns, b, c.auth)
	}
	return result, nil
}

// pruneJobs lists those of what the asker may look at.
func (c *call) pruneJobs() (any, error) {
	list := []map[string]any{}
	for _, job := range c.settings.PruneJobs {
		store, _ := job["store"].(string)
		ns, _ := job["ns"].(string)
		if c.privileges(store, ns)&(audit|modify) != 0 {
			list = append(list, job)
		}
	}
	return list, nil
}

func (c *call) garbageCollect() (any, error) {
	st, _, _, err := c.place(modify, 0)
	if err != nil {
		return nil, err
	}
	log, err := st.garbageCollect()
	return map[string]any{"log": log}, err
}

func (c *call) status() (any, error) {
	st, err := c.store()
	name := c.request.PathValue("store")
	below := false
	if err == nil {
		for _, ns := range st.namespaces("", 8) {
			below = below || c.privileges(name, ns)&(audit|modify|read|backup) != 0
		}
	}
	if !below {
		return nil, forbidden("permission check failed")
	}
	if err != nil {
		return nil, err
	}
	total, used, avail := st.usage()
	if c.privileges(name, "")&(audit|backup) == 0 { // may know that it is there, not how full it is
		total, used, avail = 0, 0, 0
	}
	return map[string]int64{"total": total, "used": used, "avail": avail}, nil
}

func (c *call) listNamespaces() (any, error) {
	parent, name := c.form.Get("parent"), c.request.PathValue("store")
	if err := format.CheckNamespace(parent); err != nil {
		return nil, fmt.Errorf("parameter 'parent': %w", err)
	}
	const some = audit | modify | backup
	depth := 8
	if n, err := strconv.Atoi(c.form.Get("max-depth")); err == nil {
		depth = n
	}
	atParent := c.privileges(name, parent)&some != 0
	st, err := c.store()
	list := []map[string]string{}
	if err == nil {
		for _, ns := range st.namespaces(parent, depth) {
			if c.privileges(name, ns)&some != 0 {
				list = append(list, map[string]string{"ns": ns})
			}
		}
	}
	switch {
	case len(list) == 0 && !atParent:
		return nil, forbidden("permission check failed")
	case err != nil:
		return nil, err
	case !st.hasNamespace(parent):
		return nil, errNoEntry
	}
	return list, nil
}

func (c *call) createNamespace() (any, error) {
	parent, name, storeName := c.form.Get("parent"), c.form.Get("name"), c.request.PathValue("store")
	ns := strings.TrimPrefix(parent+"/"+name, "/")
	if err := format.CheckNamespace(ns); err != nil || name == "" {
		return nil, errors.New("parameter 'name': value does not match the regex pattern")
	}
	if _, err := c.allowed(storeName, parent, modify, 0); err != nil {
		return nil, err
	}
	st, err := c.store()
	if err != nil {
		return nil, err
	}
	if !st.hasNamespace(parent) {
		return nil, fmt.Errorf("cannot create new namespace, parent %s doesn't already exists", parent)
	}
	if st.hasNamespace(ns) {
		return nil, errors.New("namespace already exists")
	}
	return ns, os.MkdirAll(st.nsPath(ns), 0o755)
}

func (c *call) deleteNamespace() (any, error) {
	ns, storeName := c.form.Get("ns"), c.request.PathValue("store")
	if err := format.CheckNamespace(ns); err != nil || ns == "" {
		return nil, errors.New("parameter 'ns': value does not match the regex pattern")
	}
	parent := ""
	if i := strings.LastIndex(ns, "/"); i >= 0 {
		parent = ns[:i]
	}
	if _, err := c.allowed(storeName, parent, modify, 0); err != nil {
		return nil, err
	}
	st, err := c.store()
	if err != nil {
		return nil, err
	}
	if !st.hasNamespace(ns) {
		return nil, httpError{404, "namespace not found"}
	}
	for _, below := range st.namespaces(ns, 8) {
		for _, g := range st.groups(below) {
			if c.form.Get("delete-groups") != "true" {
				return nil, errors.New("only partially deleted due to existing groups but `delete-groups` not true")
			}
			for _, b := range st.snapshots(below, g) {
				if err := st.remove(below, b); err != nil {
					return nil, err
				}
			}
		}
	}
	return nil, os.RemoveAll(st.nsPath(ns))
}

func (c *call) changeOwner() (any, error) {
	st, ns, _, err := c.place(modify, 0)
	if err != nil {
		return nil, err
	}
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if _, err := st.owner(ns, g); err != nil {
		return nil, fmt.Errorf("backup group %s does not exist", g)
	}
	owner := c.form.Get("new-owner")
	if why := c.settings.usable(owner); why != "" {
		return nil, fmt.Errorf("user '%s' is inactive (%s)", owner, why)
	}
	return nil, st.write(filepath.Join(st.groupPath(ns, g), "owner"), []byte(owner+"\n"))
}

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
	g, err := c.group()
	if err == nil && g == benchmark {
		err = errors.New("unable to run benchmark without --benchmark flags")
	}
	if err != nil {
		return nil, nil, err
	}
	when, err := strconv.ParseInt(c.form.Get("backup-time"), 10, 64)
	if err != nil || when < 1 {
		return nil, nil, errors.New("parameter 'backup-time': unable to parse integer value")
	}
	s, err := begin(st, ns, format.Snapshot{Group: g, Time: when}, c.auth)
	if err != nil {
		return nil, nil, err
	}
	c.server.log("starting new backup on datastore '%s' from %s: %q by %s", st.Name, c.request.RemoteAddr, ns+"/"+s.snapshot.String(), c.auth)
	return s.routes(), func() {
		outcome := "backup failed: connection closed before it was finished; removing it"
		if s.finished {
			outcome = "backup finished successfully"
		}
		s.end()
		c.server.log("%s: %q", outcome, ns+"/"+s.snapshot.String())
	}, nil
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
	path := st.snapshotPath(ns, b)
	release := st.hold(path)
	mux := http.NewServeMux()
	allowed := map[format.Digest]bool{}
	for _, f := range st.files(ns, b) {
		if raw, err := os.ReadFile(filepath.Join(path, f.Name)); err == nil && strings.HasSuffix(f.Name, "idx") {
			if index, err := format.DecodeIndex(raw); err == nil {
				for _, d := range index.Digests {
					allowed[d] = true
				}
			}
		}
	}
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
	return mux, release, nil
}

func send(w http.ResponseWriter, path, name string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		answer(w, nil, httpError{404, fmt.Sprintf("reading file '%s' failed: %v", name, errors.Unwrap(err))})
		return
	}
	_, _ = w.Write(raw)
}
