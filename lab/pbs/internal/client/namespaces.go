// Commands on namespaces and owners.

package client

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

// NamespaceList lists namespaces below one.
func NamespaceList(p cli.Params) error {
	c, err := connectTo(p)
	if err != nil {
		return err
	}
	type item struct {
		NS string `json:"ns"`
	}
	raw, list, err := get[[]item](c, c.Store("namespace"), parentQuery(p))
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

func parentQuery(p cli.Params) url.Values {
	query := url.Values{}
	if p.Get("ns") != "" {
		query.Set("parent", p.Get("ns"))
	}
	if p.Has("max-depth") {
		query.Set("max-depth", p.Get("max-depth"))
	}
	return query
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
