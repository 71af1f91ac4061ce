package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/pxar"
)

const (
	readAhead   = 4
	chunksCache = 8
)

// archiveName is what an archive is called on the server.
func archiveName(name string) string {
	switch {
	case strings.HasSuffix(name, ".didx"), strings.HasSuffix(name, ".fidx"), strings.HasSuffix(name, ".blob"):
		return name
	case strings.HasSuffix(name, ".pxar"):
		return name + ".didx"
	case strings.HasSuffix(name, ".img"):
		return name + ".fidx"
	}
	return name + ".blob"
}

// exactSnapshot takes a snapshot alone.
func exactSnapshot(_ *Client, _, text string) (format.Snapshot, error) {
	return format.ParseSnapshot(text)
}

// snapshotOrLatest takes a group as its latest snapshot.
func snapshotOrLatest(c *Client, ns, text string) (format.Snapshot, error) {
	if strings.Count(text, "/") != 1 {
		return format.ParseSnapshot(text)
	}
	group, err := format.ParseGroup(text)
	if err != nil {
		return format.Snapshot{}, err
	}
	list, err := listSnapshots(c, ns, group)
	if err != nil {
		return format.Snapshot{}, err
	}
	if len(list) == 0 {
		return format.Snapshot{}, fmt.Errorf("backup group %s does not contain any snapshots.", group)
	}
	return list[len(list)-1].Snapshot, nil
}

// openSnapshot opens the snapshot that the command line names, as find understands it.
func openSnapshot(p cli.Params, find func(c *Client, ns, text string) (format.Snapshot, error)) (*reader, error) {
	client, err := connectTo(p)
	if err != nil {
		return nil, err
	}
	snapshot, err := find(client, p.Get("ns"), p.Get("snapshot"))
	if err != nil {
		return nil, err
	}
	return openReader(p, client, snapshot)
}

// Restore gets an archive back.
func Restore(p cli.Params) error {
	r, err := openSnapshot(p, snapshotOrLatest)
	if err != nil {
		return err
	}
	defer r.session.close()
	if r.key != nil && r.manifest.Signature != "" {
		Info("Fingerprint: %s", format.ShortFingerprint(r.key.Fingerprint()))
	}
	return r.restore(p, archiveName(p.Get("archive-name")))
}

func (r *reader) restore(p cli.Params, name string) error {
	target := p.Get("target")
	if strings.HasSuffix(name, ".blob") {
		data := r.text
		if name != format.ManifestName {
			var err error
			if data, err = r.blob(name); err != nil {
				return err
			}
		}
		return writeBlob(target, data, name == format.ManifestName)
	}
	index, err := r.index(name)
	if err != nil {
		return err
	}
	switch {
	case target == "-":
		return r.standardOutput(index)
	case format.IsFixed(name):
		return r.image(index, target)
	}
	return r.extract(index, p, target)
}

// standardOutput is opened by its name, which a socket in its place does not allow (unix(7), ENXIO).
func (r *reader) standardOutput(index *format.Index) error {
	out, err := os.OpenFile("/dev/stdout", os.O_WRONLY, 0)
	if err != nil {
		return errors.New("unable to open /dev/stdout - " + osText(err))
	}
	return errors.Join(r.stream(index, out), out.Close())
}

func writeBlob(target string, data []byte, replace bool) error {
	if target == "-" {
		_, err := os.Stdout.Write(data)
		return err
	}
	if replace {
		return os.WriteFile(target, data, 0o644)
	}
	file, err := createTarget(target)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

func createTarget(target string) (*os.File, error) {
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("unable to create target file %q - %w", target, errors.Unwrap(err))
	}
	return file, nil
}

// image writes a disk, with holes where it is zero. What fails leaves no file behind.
func (r *reader) image(index *format.Index, target string) error {
	file, err := createTarget(target)
	if err != nil {
		return err
	}
	started, out := time.Now(), pxar.NewSparseWriter(file)
	err = r.chunks(index, func(data []byte, size int64) error {
		if data == nil {
			out.Skip(size)
			return nil
		}
		_, err := out.Write(data)
		return err
	})
	if err = errors.Join(err, out.Finish(), file.Close()); err != nil {
		os.Remove(target)
		return err
	}
	took := max(time.Since(started), time.Millisecond)
	Info("restore image complete (bytes=%d, duration=%.2fs, speed=%.2fMB/s)", index.Size, took.Seconds(), float64(index.Size)/(1<<20)/took.Seconds())
	return nil
}

func (r *reader) extract(index *format.Index, p cli.Params, target string) error {
	all := p.Bool("overwrite")
	options := pxar.ExtractOptions{
		AllowExistingDirs: p.Bool("allow-existing-dirs"), OverwriteFiles: all || p.Bool("overwrite-files"),
		OverwriteSymlinks: all || p.Bool("overwrite-symlinks"), OverwriteHardlinks: all || p.Bool("overwrite-hardlinks"),
		IgnoreXattrs: p.Bool("ignore-xattrs"), IgnoreACLs: p.Bool("ignore-acls"), IgnoreOwnership: p.Bool("ignore-ownership"),
		IgnorePermissions: p.Bool("ignore-permissions"), IgnoreDeviceErrors: p.Bool("ignore-extract-device-errors"),
	}
	for _, text := range p["pattern"] {
		pattern, err := pxar.ParsePattern(text, "", true)
		if err != nil {
			return err
		}
		options.Match = append(options.Match, pattern)
	}
	in, out := io.Pipe()
	go func() { out.CloseWithError(r.stream(index, out)) }()
	err := pxar.Extract(in, target, options)
	in.CloseWithError(errors.New("aborted"))
	if err != nil {
		return fmt.Errorf("error extracting archive - %w", err)
	}
	return nil
}
