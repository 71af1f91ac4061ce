// Learns what the previous backup has.

package client

import (
	"net/url"
	"time"

	"docker-node/lab/pbs/internal/format"
)

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
	return b.readPrevious()
}

func (b *backup) readPrevious() error {
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
