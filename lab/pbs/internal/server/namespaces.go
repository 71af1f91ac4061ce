// Calls on namespaces and owners.

package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"docker-node/lab/pbs/internal/format"
)

// someRight is what lets an asker know that a namespace is there.
const someRight = audit | modify | backup

// depth is how many levels the request wants; all by default.
func (c *call) depth() int {
	if n, err := strconv.Atoi(c.form.Get("max-depth")); err == nil {
		return n
	}
	return 8
}

func (c *call) listNamespaces() (any, error) {
	parent, name := c.form.Get("parent"), c.request.PathValue("store")
	if err := format.CheckNamespace(parent); err != nil {
		return nil, fmt.Errorf("parameter 'parent': %w", err)
	}
	st, err := c.store()
	list := []map[string]string{}
	if err == nil {
		for _, ns := range st.namespaces(parent, c.depth()) {
			if c.privileges(name, ns)&someRight != 0 {
				list = append(list, map[string]string{"ns": ns})
			}
		}
	}
	switch {
	case len(list) == 0 && c.privileges(name, parent)&someRight == 0:
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
	if err := st.empty(ns, c.form.Get("delete-groups") == "true"); err != nil {
		return nil, err
	}
	return nil, os.RemoveAll(st.nsPath(ns))
}

// empty removes the groups below a namespace, if it may.
func (s *store) empty(ns string, mayRemove bool) error {
	for _, below := range s.namespaces(ns, 8) {
		for _, g := range s.groups(below) {
			if !mayRemove {
				return errors.New("only partially deleted due to existing groups but `delete-groups` not true")
			}
			for _, b := range s.snapshots(below, g) {
				if err := s.remove(below, b); err != nil {
					return err
				}
			}
		}
	}
	return nil
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
