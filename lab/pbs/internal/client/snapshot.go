// Commands on one snapshot.

package client

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

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
