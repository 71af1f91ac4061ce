package server

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"docker-node/lab/pbs/internal/format"
)

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
	item := map[string]any{"backup-type": b.Type, "backup-id": b.ID, "backup-time": b.Time, "files": []format.File{},
		"owner": owner, "protected": s.protected(ns, b)}
	// Without a manifest a snapshot is unfinished, and has no size.
	if m, _, err := s.manifest(ns, b); err == nil {
		files, size := s.files(ns, b), int64(0)
		for _, f := range files {
			size += f.Size
		}
		item["files"], item["size"] = files, size
		if state := m.Unprotected["verify_state"]; state != nil {
			item["verification"] = state
		}
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
