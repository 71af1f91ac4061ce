package client

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/pxar"
	"docker-node/lab/pbs/internal/wire"
)

const (
	readAhead   = 4
	chunksCache = 8
)

// reader reads one snapshot.
type reader struct {
	session  *session
	key      *format.Crypt
	manifest *format.Manifest
	text     []byte // of the manifest
}

func openReader(p cli.Params, c *Client, snapshot format.Snapshot) (*reader, error) {
	key, _, err := crypto(p)
	if err != nil {
		return nil, err
	}
	query := snapshotQuery(p.Get("ns"), snapshot)
	query.Set("store", c.repo.Store)
	session, err := c.upgrade("reader", wire.Reader, query)
	if err != nil {
		return nil, err
	}
	r := &reader{session: session, key: key}
	raw, err := r.file(format.ManifestName)
	if err == nil {
		r.text, err = format.DecodeBlob(raw, nil)
	}
	if err == nil {
		r.manifest, err = format.ParseManifest(r.text, key)
	}
	if err == nil {
		err = r.manifest.CheckKey(key)
	}
	if err != nil {
		session.close()
		return nil, err
	}
	return r, nil
}

func (r *reader) file(name string) ([]byte, error) {
	return r.session.download("download", url.Values{"file-name": {name}})
}

func (r *reader) blob(name string) ([]byte, error) {
	raw, err := r.file(name)
	if err != nil {
		return nil, err
	}
	if err := r.manifest.Verify(name, int64(len(raw)), sha256.Sum256(raw)); err != nil {
		return nil, err
	}
	return format.DecodeBlob(raw, r.key)
}

func (r *reader) index(name string) (*format.Index, error) {
	if _, err := r.manifest.Lookup(name); err != nil {
		return nil, err
	}
	raw, err := r.file(name)
	if err != nil {
		return nil, err
	}
	index, err := format.DecodeIndex(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return index, r.manifest.Verify(name, index.Size, index.Checksum())
}

func (r *reader) chunk(digest format.Digest, size int64) ([]byte, error) {
	raw, err := r.session.download("chunk", url.Values{"digest": {digest.String()}})
	var data []byte
	if err == nil {
		data, err = format.DecodeChunk(raw, r.key, digest)
	}
	if err == nil && int64(len(data)) != size {
		err = fmt.Errorf("detected chunk with wrong length (%d != %d)", len(data), size)
	}
	if err != nil {
		return nil, fmt.Errorf("reading chunk %s failed - %w", digest, err)
	}
	return data, nil
}

type fetched struct {
	data []byte
	err  error
}

// chunks hands over an archive's chunks in order, some of them fetched ahead. Zeros are not fetched: nil.
func (r *reader) chunks(index *format.Index, each func(data []byte, size int64) error) error {
	zero := map[format.Digest]int64{}
	if index.ChunkSize > 0 {
		zero[r.key.Digest(make([]byte, index.ChunkSize))] = index.ChunkSize
	}
	queue, done := make(chan chan fetched, readAhead), make(chan struct{})
	defer close(done)
	go func() {
		defer close(queue)
		cache := map[format.Digest]chan fetched{}
		var order []format.Digest
		for i, digest := range index.Digests {
			start, end := index.Range(i)
			result := make(chan fetched, 1)
			source, known := cache[digest]
			switch {
			case zero[digest] == end-start && end > start:
				result <- fetched{}
			case known:
				go func() { f := <-source; source <- f; result <- f }()
			default:
				source = make(chan fetched, 1)
				if cache[digest], order = source, append(order, digest); len(order) > chunksCache {
					delete(cache, order[0])
					order = order[1:]
				}
				go func() {
					data, err := r.chunk(digest, end-start)
					source <- fetched{data, err}
					result <- fetched{data, err}
				}()
			}
			select {
			case queue <- result:
			case <-done:
				return
			}
		}
	}()
	i := 0
	for result := range queue {
		f := <-result
		start, end := index.Range(i)
		if f.err != nil {
			return f.err
		}
		if err := each(f.data, end-start); err != nil {
			return err
		}
		i++
	}
	return nil
}

// stream gives an archive as it is.
func (r *reader) stream(index *format.Index, out io.Writer) error {
	zeros := make([]byte, 64<<10)
	return r.chunks(index, func(data []byte, size int64) error {
		for ; data == nil && size > 0; size -= int64(len(zeros)) {
			if _, err := out.Write(zeros[:min(size, int64(len(zeros)))]); err != nil {
				return fmt.Errorf("unable to pipe data - %w", err)
			}
		}
		if _, err := out.Write(data); err != nil {
			return fmt.Errorf("unable to pipe data - %w", err)
		}
		return nil
	})
}

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

// Restore gets an archive back.
func Restore(p cli.Params) error {
	client, err := connectTo(p)
	if err != nil {
		return err
	}
	snapshot, err := snapshotOrLatest(client, p.Get("ns"), p.Get("snapshot"))
	if err != nil {
		return err
	}
	r, err := openReader(p, client, snapshot)
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

// CatalogDump lists everything in a snapshot's file archives.
func CatalogDump(p cli.Params) error {
	client, err := connectTo(p)
	if err != nil {
		return err
	}
	snapshot, err := format.ParseSnapshot(p.Get("snapshot"))
	if err != nil {
		return err
	}
	r, err := openReader(p, client, snapshot)
	if err != nil {
		return err
	}
	defer r.session.close()
	index, err := r.index(format.CatalogName)
	if err != nil {
		return err
	}
	var catalog bytes.Buffer
	if err := r.stream(index, &catalog); err != nil {
		return fmt.Errorf("unable to download catalog - %w", err)
	}
	return format.DumpCatalog(catalog.Bytes(), os.Stderr) // as the program this one stands for
}
