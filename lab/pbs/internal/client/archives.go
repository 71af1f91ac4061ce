// Sends one archive of a backup: a directory, an image, a file.

package client

import (
	"crypto/sha256"
	"net/url"
	"os"
	"strconv"

	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/pxar"
)

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
	if err := up.addDisk(file, s.size, int64(b.chunkSize(imageChunk))); err != nil {
		return summary{}, err
	}
	return up.close()
}

// addDisk adds the chunks of a disk.
func (u *upload) addDisk(file *os.File, total, size int64) error {
	hole := make([]byte, size)
	holeDigest := u.key.Digest(hole)
	data := int64(-1) // where the next data is
	for at := int64(0); at < total; at += size {
		length := min(size, total-at)
		if data < at {
			data = pxar.NextData(file, at, total)
		}
		var err error
		switch {
		case data >= at+length && length == size:
			err = u.addDigest(holeDigest, hole, size)
		case data >= at+length:
			err = u.add(hole[:length])
		default:
			err = u.addPart(file, at, length)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *upload) addPart(file *os.File, at, length int64) error {
	chunk := make([]byte, length)
	if _, err := file.ReadAt(chunk, at); err != nil {
		return err
	}
	return u.add(chunk)
}
