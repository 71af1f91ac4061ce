// Arguments that many commands have, as queries.

package client

import (
	"errors"
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
