// Where a call works, and whether who calls may.

package server

import (
	"errors"
	"fmt"
	"os"
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
