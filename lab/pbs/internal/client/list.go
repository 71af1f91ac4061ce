package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

// Repository named by option or environment.
func Repository(p cli.Params) (format.Repository, error) {
	text := p.Get("repository")
	if text == "" {
		text = os.Getenv("PBS_REPOSITORY")
	}
	if text == "" {
		return format.Repository{}, errors.New("unable to get (default) repository")
	}
	return format.ParseRepository(text)
}

func connectTo(p cli.Params) (*Client, error) {
	repo, err := Repository(p)
	if err != nil {
		return nil, err
	}
	return Connect(repo)
}

func nsQuery(ns string) url.Values {
	query := url.Values{}
	if ns != "" {
		query.Set("ns", ns)
	}
	return query
}

func groupQuery(ns string, group format.Group) url.Values {
	query := nsQuery(ns)
	query.Set("backup-type", group.Type)
	query.Set("backup-id", group.ID)
	return query
}

func snapshotQuery(ns string, s format.Snapshot) url.Values {
	query := groupQuery(ns, s.Group)
	query.Set("backup-time", strconv.FormatInt(s.Time, 10))
	return query
}

func epoch(text string) int64 {
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return when.Unix()
}

// short is the name of a file without what the server appends.
func short(name string) string {
	for _, end := range []string{".didx", ".fidx", ".blob"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}

func shortNames(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = short(name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

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
	query := nsQuery(p.Get("ns"))
	if p.Has("group") {
		group, err := format.ParseGroup(p.Get("group"))
		if err != nil {
			return err
		}
		query = groupQuery(p.Get("ns"), group)
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
			names := make([]string, len(item.Files))
			for i, file := range item.Files {
				names[i] = file.Name
			}
			rows = append(rows, []string{item.Snapshot.String(), cli.Bytes(item.Size), shortNames(names)})
		}
		slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		return cli.Table(os.Stdout, []string{"snapshot", "size", "files"}, rows, 1)
	})
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

// withSnapshot runs something on a snapshot named in full.
func withSnapshot(p cli.Params, do func(c *Client, query url.Values) error) error {
	snapshot, err := format.ParseSnapshot(p.Get("snapshot"))
	if err != nil {
		return err
	}
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	return do(c, snapshotQuery(p.Get("ns"), snapshot))
}

// SnapshotFiles lists the files of a snapshot.
func SnapshotFiles(p cli.Params) error {
	return withSnapshot(p, func(c *Client, query url.Values) error {
		raw, files, err := get[[]format.File](c, c.Store("files"), query)
		if err != nil {
			return err
		}
		return cli.Print(os.Stdout, p, raw, func() error {
			var rows [][]string
			for _, f := range files {
				rows = append(rows, []string{f.Name, f.CryptMode, strconv.FormatInt(f.Size, 10)})
			}
			return cli.Table(os.Stdout, []string{"filename", "crypt-mode", "size"}, rows, 2)
		})
	})
}

// SnapshotForget removes a snapshot.
func SnapshotForget(p cli.Params) error {
	return withSnapshot(p, func(c *Client, query url.Values) error {
		return c.Call("DELETE", c.Store("snapshots"), query, nil)
	})
}

// show prints one property of a snapshot.
func show[T any](p cli.Params, property string) error {
	return withSnapshot(p, func(c *Client, query url.Values) error {
		var value T
		if err := c.Call("GET", c.Store(property), query, &value); err != nil {
			return err
		}
		return cli.Print(os.Stdout, p, map[string]T{property: value}, func() error {
			fmt.Println(value)
			return nil
		})
	})
}

// NotesShow prints a snapshot's notes.
func NotesShow(p cli.Params) error { return show[string](p, "notes") }

// NotesUpdate sets a snapshot's notes.
func NotesUpdate(p cli.Params) error {
	return withSnapshot(p, func(c *Client, query url.Values) error {
		query.Set("notes", p.Get("notes"))
		return c.Call("PUT", c.Store("notes"), query, nil)
	})
}

// ProtectedShow tells whether a snapshot is protected.
func ProtectedShow(p cli.Params) error { return show[bool](p, "protected") }

// ProtectedUpdate protects a snapshot, or no longer.
func ProtectedUpdate(p cli.Params) error {
	return withSnapshot(p, func(c *Client, query url.Values) error {
		query.Set("protected", strconv.FormatBool(p.Bool("protected")))
		return c.Call("PUT", c.Store("protected"), query, nil)
	})
}

// UploadLog adds a log to a snapshot.
func UploadLog(p cli.Params) error {
	key, mode, err := crypto(p)
	if err != nil {
		return err
	}
	if mode != "encrypt" {
		key = nil
	}
	data, err := os.ReadFile(p.Get("logfile"))
	if err != nil {
		return err
	}
	raw, err := format.EncodeBlob(data, key)
	if err != nil {
		return err
	}
	return withSnapshot(p, func(c *Client, query url.Values) error {
		return c.send("POST", c.url("api2/json/"+c.Store("upload-backup-log"), query), "application/octet-stream", bytes.NewReader(raw), nil)
	})
}

// KeepOptions of prune.
var KeepOptions = []string{"keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly"}

// Prune removes what the options do not keep.
func Prune(p cli.Params) error {
	group, err := format.ParseGroup(p.Get("group"))
	if err != nil {
		return err
	}
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	query := groupQuery(p.Get("ns"), group)
	for _, name := range KeepOptions {
		if p.Has(name) {
			query.Set(name, p.Get(name))
		}
	}
	query.Set("dry-run", strconv.FormatBool(p.Bool("dry-run")))
	type item struct {
		format.Snapshot
		Keep      bool `json:"keep"`
		Protected bool `json:"protected"`
	}
	var list []item
	if err := c.Call("POST", c.Store("prune"), query, &list); err != nil {
		return err
	}
	if p.Bool("quiet") {
		list = slices.DeleteFunc(list, func(i item) bool { return i.Keep })
	}
	if list == nil {
		list = []item{}
	}
	return cli.Print(os.Stdout, p, list, func() error {
		var rows [][]string
		for _, i := range list {
			action := map[bool]string{true: "keep", false: "remove"}[i.Keep]
			rows = append(rows, []string{i.Snapshot.String(), time.Unix(i.Time, 0).Format(time.RFC1123), action})
		}
		return cli.Table(os.Stdout, []string{"snapshot", "date", "action"}, rows)
	})
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

// NamespaceList lists namespaces below one.
func NamespaceList(p cli.Params) error {
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	query := url.Values{}
	if p.Get("ns") != "" {
		query.Set("parent", p.Get("ns"))
	}
	if p.Has("max-depth") {
		query.Set("max-depth", p.Get("max-depth"))
	}
	type item struct {
		NS string `json:"ns"`
	}
	raw, list, err := get[[]item](c, c.Store("namespace"), query)
	if err != nil {
		return err
	}
	// The client this one stands for prints the server's whole answer here.
	return cli.Print(os.Stdout, p, map[string]any{"data": raw}, func() error {
		for _, i := range list {
			if i.NS != "" {
				fmt.Println(i.NS)
			}
		}
		return nil
	})
}

// namespace runs a change of a namespace.
func namespace(p cli.Params, method string) error {
	ns := p.Get("ns")
	if ns == "" {
		return errors.New(map[string]string{"POST": "root namespace is always present", "DELETE": "root namespace cannot be deleted"}[method])
	}
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	query := url.Values{"ns": {ns}, "delete-groups": {strconv.FormatBool(p.Bool("delete-groups"))}}
	if method == "POST" {
		parent, name := "", ns
		if i := strings.LastIndex(ns, "/"); i >= 0 {
			parent, name = ns[:i], ns[i+1:]
		}
		query = url.Values{"parent": {parent}, "name": {name}}
	}
	return c.Call(method, c.Store("namespace"), query, nil)
}

// NamespaceCreate makes a namespace in an existing one.
func NamespaceCreate(p cli.Params) error { return namespace(p, "POST") }

// NamespaceDelete removes a namespace.
func NamespaceDelete(p cli.Params) error { return namespace(p, "DELETE") }

// ChangeOwner gives a group to someone else.
func ChangeOwner(p cli.Params) error {
	group, err := format.ParseGroup(p.Get("group"))
	if err != nil {
		return err
	}
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	query := groupQuery(p.Get("ns"), group)
	query.Set("new-owner", p.Get("new-owner"))
	return c.Call("POST", c.Store("change-owner"), query, nil)
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
