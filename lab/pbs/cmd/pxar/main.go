// Command pxar handles Proxmox file archives, with the documented command line of the tool of that name.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/pxar"
)

func warn(text string, args ...any) { fmt.Fprintf(os.Stderr, text+"\n", args...) }

func switches(names ...string) []cli.Option {
	options := make([]cli.Option, len(names))
	for i, name := range names {
		options[i] = cli.Option{Name: name, Kind: cli.Bool}
	}
	return options
}

func patterns(values []string, include bool) (list []pxar.Pattern, err error) {
	for _, value := range values {
		p, err := pxar.ParsePattern(value, "", include)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func create(p cli.Params) error {
	exclude, err := patterns(p["exclude"], false)
	if err != nil {
		return fmt.Errorf("error in exclude pattern: %w", err)
	}
	out, err := os.OpenFile(p.Get("archive"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	err = pxar.Create(p.Get("source"), out, pxar.CreateOptions{
		Exclude: exclude, AllFileSystems: p.Bool("all-file-systems"), NoXattrs: p.Bool("no-xattrs"),
		NoFcaps: p.Bool("no-fcaps"), NoACLs: p.Bool("no-acls"), NoDevices: p.Bool("no-device-nodes"),
		NoFifos: p.Bool("no-fifos"), NoSockets: p.Bool("no-sockets"), MaxEntries: int(p.Int("entries-max", 1<<20)), Warn: warn,
	})
	if err = errors.Join(err, out.Close()); err != nil {
		os.Remove(p.Get("archive"))
	}
	return err
}

// open is the archive, from standard input if it is called "-".
func open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return os.Stdin, nil
	}
	return os.Open(name)
}

func extract(p cli.Params) error {
	match, err := patterns(p["pattern"], true)
	if err != nil {
		return fmt.Errorf("error in pattern: %w", err)
	}
	in, err := open(p.Get("archive"))
	if err != nil {
		return err
	}
	defer in.Close()
	failed := false
	options := extractOptions(p, match)
	if !p.Bool("strict") {
		options.OnError = func(err error) error { failed = true; return warnOf(err) }
	}
	if err := pxar.Extract(in, cmp.Or(p.Get("target"), "."), options); err != nil {
		return err
	}
	if failed {
		return errors.New("there were errors")
	}
	return nil
}

// warnOf says where, and not why, as the program this one stands for.
func warnOf(err error) error {
	if at := (*pxar.EntryError)(nil); errors.As(err, &at) {
		err = fmt.Errorf("error at %q", at.Path)
	}
	warn("error: %v", err)
	return nil
}

func extractOptions(p cli.Params, match []pxar.Pattern) pxar.ExtractOptions {
	all := p.Bool("overwrite")
	return pxar.ExtractOptions{
		Match: match, AllowExistingDirs: p.Bool("allow-existing-dirs"), OverwriteFiles: all || p.Bool("overwrite-files"),
		OverwriteSymlinks: all || p.Bool("overwrite-symlinks"), OverwriteHardlinks: all || p.Bool("overwrite-hardlinks"),
		IgnoreXattrs: p.Bool("no-xattrs"), IgnoreFcaps: p.Bool("no-fcaps"), IgnoreACLs: p.Bool("no-acls"),
		NoDevices: p.Bool("no-device-nodes"), NoFifos: p.Bool("no-fifos"), NoSockets: p.Bool("no-sockets"),
	}
}

type lister struct{}

func (lister) Enter(e *pxar.Entry, _ io.Reader) error {
	_, err := fmt.Fprintf(os.Stderr, "%q\n", "/"+e.Path)
	return err
}

func (lister) Leave(*pxar.Entry) error { return nil }

func list(p cli.Params) error {
	in, err := open(p.Get("archive"))
	if err != nil {
		return err
	}
	defer in.Close()
	return pxar.Walk(in, lister{})
}

func main() {
	archive := cli.Arg{Name: "archive"}
	cli.Program{
		Name: "pxar",
		Note: format.StandIn,
		Commands: []cli.Command{
			{
				Words: "create", Args: []cli.Arg{archive, {Name: "source"}}, Run: create, Help: "Create a new .pxar archive.",
				Options: append(switches("no-xattrs", "no-fcaps", "no-acls", "all-file-systems", "no-device-nodes", "no-fifos", "no-sockets"),
					cli.Option{Name: "exclude", Kind: cli.List, Help: "Path or pattern matching files to exclude."},
					cli.Option{Name: "entries-max", Kind: cli.Int}),
			},
			{
				Words: "extract", Args: []cli.Arg{archive, {Name: "target", Optional: true}}, Run: extract, Help: "Extract an archive, standard input for '-'.",
				Options: append(switches("no-xattrs", "no-fcaps", "no-acls", "allow-existing-dirs", "overwrite", "overwrite-files",
					"overwrite-symlinks", "overwrite-hardlinks", "no-device-nodes", "no-fifos", "no-sockets", "strict"),
					cli.Option{Name: "pattern", Kind: cli.List, Help: "Path or pattern matching files to restore."}),
			},
			{Words: "list", Args: []cli.Arg{archive}, Run: list, Help: "List the contents of an archive."},
		},
	}.Main()
}
