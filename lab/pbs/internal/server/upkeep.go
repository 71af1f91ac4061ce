// Calls that keep a datastore tidy.

package server

import (
	"fmt"
	"strconv"

	"docker-node/lab/pbs/internal/format"
)

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
	rules, err := c.keepRules()
	if err != nil {
		return nil, err
	}
	return c.removeOthers(st, ns, list, keep(list, rules))
}

// removeOthers removes the snapshots that do not stay, and tells of all what is to be of them.
func (c *call) removeOthers(st *store, ns string, list []format.Snapshot, stay map[format.Snapshot]bool) (any, error) {
	result := []map[string]any{}
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

// keepRules of the request: how many of each period stay.
func (c *call) keepRules() (map[string]int, error) {
	rules := map[string]int{}
	for _, rule := range keepRules {
		text := c.form.Get(rule.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("parameter '%s': value must have a minimum value of 1 (got %s)", rule.name, text)
		}
		rules[rule.name] = n
	}
	return rules, nil
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
