package client

import (
	"cmp"
	"errors"
	"fmt"
	"os"
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
	if err := b.send(list); err != nil {
		return err
	}
	Info("Duration: %.2fs", time.Since(started).Seconds())
	Info("End Time: %s", now())
	return nil
}

func (b *backup) send(list []source) error {
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
	return b.finish()
}

func now() string { return time.Now().Format("Mon Jan _2 15:04:05 2006") }

func (b *backup) prepare() (err error) {
	p := b.params
	if b.repo, err = Repository(p); err != nil {
		return err
	}
	host, _ := os.Hostname()
	group := format.Group{Type: cmp.Or(p.Get("backup-type"), "host"), ID: cmp.Or(p.Get("backup-id"), host)}
	b.manifest.Snapshot = format.Snapshot{Group: group, Time: p.Int("backup-time", time.Now().Unix())}
	return b.readOptions()
}

// readOptions reads what goes into the archives.
func (b *backup) readOptions() error {
	p := b.params
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

// finish sends catalog and manifest; only then there is a snapshot.
func (b *backup) finish() error {
	if b.catalog != nil {
		if err := b.sendCatalog(); err != nil {
			return err
		}
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

func (b *backup) sendCatalog() error {
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
	return nil
}
