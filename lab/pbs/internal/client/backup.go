package client

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/pxar"
)

const (
	imageChunk   = 4 << 20
	archiveChunk = 4 << 20
	catalogChunk = 512 << 10
)

// source is one archive to be.
type source struct {
	kind, name, path string // kind: pxar, img, conf, log
	size             int64
}

func (s source) target() string {
	return s.name + map[string]string{"pxar": ".didx", "img": ".fidx", "conf": ".blob", "log": ".blob"}[s.kind]
}

// sources checks what is asked for before anything is sent.
func sources(specs []string) ([]source, error) {
	var list []source
	seen := map[string]bool{}
	for _, spec := range specs {
		m := format.SpecRegexp.FindStringSubmatch(spec)
		if m == nil {
			return nil, fmt.Errorf("unable to parse backup source specification '%s'", spec)
		}
		s := source{kind: m[2], name: m[1], path: m[3]}
		if seen[s.name] {
			return nil, fmt.Errorf("got target twice: '%s'", s.name)
		}
		seen[s.name] = true
		info, err := os.Stat(s.path)
		if err != nil {
			return nil, fmt.Errorf("unable to access '%s' - %w", s.path, errors.Unwrap(err))
		}
		block := info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0
		switch {
		case s.kind == "pxar" && !info.IsDir():
			return nil, errors.New("got unexpected file type (expected directory)")
		case s.kind == "img" && !info.Mode().IsRegular() && !block:
			return nil, errors.New("got unexpected file type (expected file or block device)")
		case (s.kind == "conf" || s.kind == "log") && !info.Mode().IsRegular():
			return nil, errors.New("got unexpected file type (expected regular file)")
		}
		if s.kind == "img" {
			if s.size, err = imageSize(s.path); err != nil {
				return nil, err
			}
			if s.size == 0 {
				return nil, fmt.Errorf("got zero-sized file '%s'", s.path)
			}
		}
		list = append(list, s)
	}
	return list, nil
}

func imageSize(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.Seek(0, io.SeekEnd) // of a block device too
}

// backup is a run of the backup command.
type backup struct {
	params   cli.Params
	repo     format.Repository
	session  *session
	key      *format.Crypt
	mode     string
	manifest format.Manifest
	previous *format.Manifest
	catalog  *format.Catalog
	options  pxar.CreateOptions
}

// Backup makes a snapshot.
func Backup(p cli.Params) error {
	started := time.Now()
	b := &backup{params: p}
	if err := b.prepare(); err != nil {
		return err
	}
	list, err := sources(p["backupspec"])
	if err != nil {
		return err
	}
	b.announce()
	if p.Bool("dry-run") {
		for _, s := range list {
			Info("Would upload %s '%s' to '%s' as %s", describe(s), s.path, b.repo, s.target())
		}
		Info("dry-run: no upload happened")
		return nil
	}
	if err := b.start(); err != nil {
		return err
	}
	defer b.session.close()
	for _, s := range list {
		Info("Upload %s '%s' to '%s' as %s", describe(s), s.path, b.repo, s.target())
		if err := b.upload(s); err != nil {
			return err
		}
	}
	if err := b.finish(); err != nil {
		return err
	}
	Info("Duration: %.2fs", time.Since(started).Seconds())
	Info("End Time: %s", now())
	return nil
}

func now() string { return time.Now().Format("Mon Jan _2 15:04:05 2006") }

func describe(s source) string {
	return map[string]string{"pxar": "directory", "img": "image", "conf": "config file", "log": "log file"}[s.kind]
}

func (b *backup) prepare() (err error) {
	p := b.params
	if b.repo, err = Repository(p); err != nil {
		return err
	}
	host, _ := os.Hostname()
	id, kind := p.Get("backup-id"), p.Get("backup-type")
	if id == "" {
		id = host
	}
	if kind == "" {
		kind = "host"
	}
	b.manifest.Snapshot = format.Snapshot{Group: format.Group{Type: kind, ID: id}, Time: p.Int("backup-time", time.Now().Unix())}
	if p.Bool("all-file-systems") && p.Has("include-dev") {
		return errors.New("option 'all-file-systems' conflicts with option 'include-dev'")
	}
	b.options = pxar.CreateOptions{
		AllFileSystems: p.Bool("all-file-systems"), SkipLostAndFound: p.Bool("skip-lost-and-found"), Devices: map[uint64]bool{},
		MaxEntries: int(p.Int("entries-max", 1<<20)), Warn: Info,
	}
	for _, path := range p["include-dev"] {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			return fmt.Errorf("fstat %q failed - %w", path, err)
		}
		b.options.Devices[st.Dev] = true
	}
	for _, text := range p["exclude"] {
		pattern, err := pxar.ParsePattern(text, "", false)
		if err != nil {
			return fmt.Errorf("invalid exclude pattern entry: %w", err)
		}
		b.options.Exclude = append(b.options.Exclude, pattern)
	}
	return nil
}

func (b *backup) announce() {
	snapshot := b.manifest.Snapshot.String()
	if ns := b.params.Get("ns"); ns != "" {
		snapshot = "[" + ns + "]:" + snapshot
	}
	host, _ := os.Hostname()
	Info("Starting backup: %s", snapshot)
	Info("Client name: %s", host)
	Info("Starting backup protocol: %s", now())
}

// start opens the session and learns what the previous backup has.
func (b *backup) start() (err error) {
	if b.key, b.mode, err = crypto(b.params); err != nil {
		return err
	}
	if b.key != nil {
		Info("Encryption key fingerprint: %s", format.ShortFingerprint(b.key.Fingerprint()))
	}
	client, err := Connect(b.repo)
	if err != nil {
		return err
	}
	query := snapshotQuery(b.params.Get("ns"), b.manifest.Snapshot)
	query.Set("store", b.repo.Store)
	if b.session, err = client.upgrade("backup", "proxmox-backup-protocol-v1", query); err != nil {
		return err
	}
	var last *int64
	if err := b.session.call("GET", "previous_backup_time", nil, nil, &last); err != nil {
		return err
	}
	if last == nil {
		Info("No previous manifest available.")
		return nil
	}
	Info("Downloading previous manifest (%s)", time.Unix(*last, 0).Format("Mon Jan _2 15:04:05 2006"))
	raw, err := b.session.download("previous", url.Values{"archive-name": {format.ManifestName}})
	if err != nil {
		return err
	}
	if err := b.reuse(raw); err != nil {
		Info("Couldn't re-use previous manifest - %v", err)
	}
	return nil
}

func (b *backup) reuse(raw []byte) error {
	text, err := format.DecodeBlob(raw, nil)
	if err != nil {
		return err
	}
	manifest, err := format.ParseManifest(text, b.key)
	if err != nil {
		return err
	}
	if err := manifest.CheckKey(b.key); err != nil {
		return err
	}
	b.previous = manifest
	return nil
}

// chunkKey is the key chunks and blobs are encrypted with.
func (b *backup) chunkKey() *format.Crypt {
	if b.mode == "encrypt" {
		return b.key
	}
	return nil
}

func (b *backup) newUpload(name string) *upload {
	return &upload{session: b.session, key: b.chunkKey(), name: name, previous: b.previous}
}

func (b *backup) add(name string, s summary) {
	b.manifest.Files = append(b.manifest.Files, format.File{Name: name, Size: s.size, Csum: s.csum.String(), CryptMode: b.mode})
}

func (b *backup) upload(s source) (err error) {
	var done summary
	switch s.kind {
	case "pxar":
		done, err = b.directory(s)
	case "img":
		done, err = b.image(s)
	default:
		var data []byte
		if data, err = os.ReadFile(s.path); err == nil {
			done, err = b.file(s.target(), data, b.chunkKey())
		}
	}
	if err == nil {
		b.add(s.target(), done)
	}
	return err
}

// file is a blob of its own. The manifest stays as it is, for whoever looks at it on the server's disk.
func (b *backup) file(name string, data []byte, key *format.Crypt) (summary, error) {
	encode := format.EncodeCompressed
	if name == format.ManifestName {
		encode = format.EncodeBlob
	}
	raw, err := encode(data, key)
	if err != nil {
		return summary{}, err
	}
	query := url.Values{"file-name": {name}, "encoded-size": {strconv.Itoa(len(raw))}}
	err = b.session.call("POST", "blob", query, raw, nil)
	return summary{int64(len(raw)), sha256.Sum256(raw)}, err
}

func (b *backup) chunkSize(otherwise int) int {
	return int(b.params.Int("chunk-size", int64(otherwise>>10))) << 10
}

func (b *backup) directory(s source) (summary, error) {
	if b.catalog == nil {
		b.catalog = format.NewCatalog()
	}
	b.catalog.Start(s.target())
	up := b.newUpload(s.target())
	if err := up.open(-1); err != nil {
		return summary{}, err
	}
	options := b.options
	options.Catalog = b.catalog
	chunks := newChunker(b.chunkSize(archiveChunk), up.add)
	err := pxar.Create(s.path, chunks, options)
	if err == nil {
		err = chunks.flush()
	}
	b.catalog.End()
	if err != nil {
		return summary{}, err
	}
	return up.close()
}

// image sends a disk. Chunks that lie in a hole are not read.
func (b *backup) image(s source) (summary, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return summary{}, err
	}
	defer file.Close()
	up := b.newUpload(s.target())
	if err := up.open(s.size); err != nil {
		return summary{}, err
	}
	size := int64(b.chunkSize(imageChunk))
	hole := make([]byte, size)
	holeDigest := up.key.Digest(hole)
	data := int64(-1) // where the next data is
	for at := int64(0); at < s.size; at += size {
		length := min(size, s.size-at)
		if data < at {
			data = pxar.NextData(file, at, s.size)
		}
		switch {
		case data >= at+length && length == size:
			err = up.addDigest(holeDigest, hole, size)
		case data >= at+length:
			err = up.add(hole[:length])
		default:
			chunk := make([]byte, length)
			if _, err = file.ReadAt(chunk, at); err == nil {
				err = up.add(chunk)
			}
		}
		if err != nil {
			return summary{}, err
		}
	}
	return up.close()
}

// finish sends catalog and manifest; only then there is a snapshot.
func (b *backup) finish() error {
	if b.catalog != nil {
		up := b.newUpload(format.CatalogName)
		up.previous = nil
		if err := up.open(-1); err != nil {
			return err
		}
		chunks := newChunker(catalogChunk, up.add)
		if _, err := chunks.Write(b.catalog.Finish()); err != nil {
			return err
		}
		if err := chunks.flush(); err != nil {
			return err
		}
		done, err := up.close()
		if err != nil {
			return err
		}
		b.add(format.CatalogName, done)
	}
	text, err := b.manifest.Text(b.key)
	if err != nil {
		return fmt.Errorf("unable to format manifest - %w", err)
	}
	if _, err := b.file(format.ManifestName, text, nil); err != nil {
		return err
	}
	return b.session.call("POST", "finish", nil, nil, nil)
}
