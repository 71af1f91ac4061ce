package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

type snapshotItem struct {
	format.Snapshot
	Files []format.File `json:"files"`
	Size  int64         `json:"size"`
}

// get asks for a list, as it is and decoded.
func get[T any](c *Client, path string, query url.Values) (raw any, list T, err error) {
	var text json.RawMessage
	if err = c.Call("GET", path, query, &text); err != nil {
		return nil, list, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err = decoder.Decode(&raw); err == nil {
		err = json.Unmarshal(text, &list)
	}
	return raw, list, err
}

func listSnapshots(c *Client, ns string, group format.Group) ([]snapshotItem, error) {
	_, list, err := get[[]snapshotItem](c, c.Store("snapshots"), groupQuery(ns, group))
	slices.SortFunc(list, func(a, b snapshotItem) int { return int(a.Time - b.Time) })
	return list, err
}

// SnapshotList lists snapshots, of one group or all.
func SnapshotList(p cli.Params) error {
	query, err := snapshotsQuery(p)
	if err != nil {
		return err
	}
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	raw, list, err := get[[]snapshotItem](c, c.Store("snapshots"), query)
	if err != nil {
		return err
	}
	return cli.Print(os.Stdout, p, raw, func() error {
		var rows [][]string
		for _, item := range list {
			rows = append(rows, item.row())
		}
		slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		return cli.Table(os.Stdout, []string{"snapshot", "size", "files"}, rows, 1)
	})
}

func snapshotsQuery(p cli.Params) (url.Values, error) {
	if !p.Has("group") {
		return nsQuery(p.Get("ns")), nil
	}
	group, err := format.ParseGroup(p.Get("group"))
	return groupQuery(p.Get("ns"), group), err
}

func (item snapshotItem) row() []string {
	names := make([]string, len(item.Files))
	for i, file := range item.Files {
		names[i] = file.Name
	}
	return []string{item.Snapshot.String(), cli.Bytes(item.Size), shortNames(names)}
}

// Groups lists groups.
func Groups(p cli.Params) error {
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	type item struct {
		format.Group
		Last  int64    `json:"last-backup"`
		Count int      `json:"backup-count"`
		Files []string `json:"files"`
	}
	raw, list, err := get[[]item](c, c.Store("groups"), nsQuery(p.Get("ns")))
	if err != nil {
		return err
	}
	return cli.Print(os.Stdout, p, raw, func() error {
		var rows [][]string
		for _, g := range list {
			last := format.Snapshot{Group: g.Group, Time: g.Last}
			rows = append(rows, []string{g.Group.String(), last.String(), strconv.Itoa(g.Count), shortNames(g.Files)})
		}
		return cli.Table(os.Stdout, []string{"group", "last snapshot", "backup-count", "files"}, rows, 2)
	})
}

// ShowVersion of client, and of the server if there is a repository.
func ShowVersion(p cli.Params) error {
	type version struct {
		Version string `json:"version"`
		Release string `json:"release"`
		RepoID  string `json:"repoid"`
	}
	versions := map[string]version{"client": {format.Version, "stand-in", format.StandIn}}
	if c, err := connectTo(p); err == nil {
		var server version
		if err := c.Call("GET", "version", nil, &server); err != nil {
			Info("could not connect to server - %v", err)
		} else {
			versions["server"] = server
		}
	}
	return cli.Print(os.Stdout, p, versions, func() error {
		for _, who := range []string{"client", "server"} {
			if v, ok := versions[who]; ok {
				fmt.Printf("%s version: %s.%s (%s)\n", who, v.Version, v.Release, v.RepoID)
			}
		}
		return nil
	})
}
