// Reads files, indexes and chunks of a snapshot.

package client

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/url"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/wire"
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
	if err := r.readManifest(); err != nil {
		session.close()
		return nil, err
	}
	return r, nil
}

func (r *reader) readManifest() error {
	raw, err := r.file(format.ManifestName)
	if err == nil {
		r.text, err = format.DecodeBlob(raw, nil)
	}
	if err == nil {
		r.manifest, err = format.ParseManifest(r.text, r.key)
	}
	if err == nil {
		err = r.manifest.CheckKey(r.key)
	}
	return err
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
	queue, done := make(chan chan fetched, readAhead), make(chan struct{})
	defer close(done)
	go r.fetchAhead(index, queue, done)
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

// fetchAhead queues the result of each chunk, in order, until it is told that nobody waits any more.
func (r *reader) fetchAhead(index *format.Index, queue chan<- chan fetched, done <-chan struct{}) {
	defer close(queue)
	zero := map[format.Digest]int64{}
	if index.ChunkSize > 0 {
		zero[r.key.Digest(make([]byte, index.ChunkSize))] = index.ChunkSize
	}
	recent := cache{reader: r, chunks: map[format.Digest]chan fetched{}}
	for i, digest := range index.Digests {
		start, end := index.Range(i)
		result := make(chan fetched, 1)
		if zero[digest] == end-start && end > start {
			result <- fetched{}
		} else {
			recent.fetch(digest, end-start, result)
		}
		select {
		case queue <- result:
		case <-done:
			return
		}
	}
}

// cache keeps the chunks that were fetched last. A channel holds each, so that it can be read again and again.
type cache struct {
	reader *reader
	chunks map[format.Digest]chan fetched
	order  []format.Digest
}

// fetch sends a chunk, from the server or from the cache, without waiting for it.
func (c *cache) fetch(digest format.Digest, size int64, result chan<- fetched) {
	if source, known := c.chunks[digest]; known {
		go func() { f := <-source; source <- f; result <- f }()
		return
	}
	source := make(chan fetched, 1)
	if c.chunks[digest], c.order = source, append(c.order, digest); len(c.order) > chunksCache {
		delete(c.chunks, c.order[0])
		c.order = c.order[1:]
	}
	go func() {
		data, err := c.reader.chunk(digest, size)
		source <- fetched{data, err}
		result <- fetched{data, err}
	}()
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
