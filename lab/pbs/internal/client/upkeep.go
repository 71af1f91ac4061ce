// Commands that keep a datastore tidy.

package client

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

// KeepOptions of prune.
var KeepOptions = []string{"keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly"}

// Prune removes what the options do not keep.
func Prune(p cli.Params) error {
	group, err := format.ParseGroup(p.Get("group"))
	if err != nil {
		return err
	}
	list, err := prune(p, group)
	if err != nil {
		return err
	}
	if p.Bool("quiet") {
		list = slices.DeleteFunc(list, func(i pruned) bool { return i.Keep })
	}
	if list == nil {
		list = []pruned{}
	}
	return cli.Print(os.Stdout, p, list, func() error {
		var rows [][]string
		for _, i := range list {
			rows = append(rows, i.row())
		}
		return cli.Table(os.Stdout, []string{"snapshot", "date", "action"}, rows)
	})
}

func prune(p cli.Params, group format.Group) (list []pruned, err error) {
	c, err := connectTo(p)
	if err != nil {
		return nil, err
	}
	err = c.Call("POST", c.Store("prune"), pruneQuery(p, group), &list)
	return list, err
}

// pruned is a snapshot, and whether it stays.
type pruned struct {
	format.Snapshot
	Keep      bool `json:"keep"`
	Protected bool `json:"protected"`
}

func (p pruned) row() []string {
	action := map[bool]string{true: "keep", false: "remove"}[p.Keep]
	return []string{p.Snapshot.String(), time.Unix(p.Time, 0).Format(time.RFC1123), action}
}

func pruneQuery(p cli.Params, group format.Group) url.Values {
	query := groupQuery(p.Get("ns"), group)
	for _, name := range KeepOptions {
		if p.Has(name) {
			query.Set(name, p.Get(name))
		}
	}
	query.Set("dry-run", strconv.FormatBool(p.Bool("dry-run")))
	return query
}

// GarbageCollect frees what no snapshot needs.
func GarbageCollect(p cli.Params) error {
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	var result struct {
		Log []string `json:"log"`
	}
	if err := c.Call("POST", c.Store("gc"), nil, &result); err != nil {
		return err
	}
	for _, line := range result.Log {
		fmt.Println(line)
	}
	return nil
}

// Status tells how full the datastore is.
func Status(p cli.Params) error {
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	raw, usage, err := get[map[string]int64](c, c.Store("status"), nil)
	if err != nil {
		return err
	}
	return cli.Print(os.Stdout, p, raw, func() error {
		var rows [][]string
		for _, name := range []string{"total", "used", "avail"} {
			percent := int64(0)
			if usage["total"] > 0 {
				percent = usage[name] * 100 / usage["total"]
			}
			rows = append(rows, []string{name, fmt.Sprintf("%d (%d %%)", usage[name], percent)})
		}
		return cli.Table(os.Stdout, nil, rows, 1)
	})
}
