package client

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

const (
	appendBatch = 256 // entries of an index sent at once
	uploads     = 4   // chunks under way at once
)

// upload writes one archive: chunks the server has not, then their digests in order.
type upload struct {
	session  *session
	key      *format.Crypt // nil: chunks stay plain
	kind     string        // fixed, dynamic
	wid      int
	known    map[format.Digest]bool
	sum      hash.Hash
	offset   int64
	count    int
	reused   int64
	sent     int64
	started  time.Time
	digests  []string
	offsets  []int64
	slots    chan struct{}
	pending  sync.WaitGroup
	mutex    sync.Mutex
	failure  error
	name     string
	previous *format.Manifest
}

type summary struct {
	size int64
	csum format.Digest
}

// open announces an archive. Chunks of the previous backup's archive of this name count as known.
func (u *upload) open(size int64) error {
	query := url.Values{"archive-name": {u.name}}
	u.kind = "dynamic"
	if size >= 0 {
		u.kind = "fixed"
		query.Set("size", strconv.FormatInt(size, 10))
	}
	u.known, u.sum, u.slots = map[format.Digest]bool{}, sha256.New(), make(chan struct{}, uploads)
	u.started = time.Now()
	if u.previous != nil {
		if _, err := u.previous.Lookup(u.name); err != nil {
			Info("Previous manifest does not contain an archive called '%s', skipping download..", u.name)
		} else if err := u.learn(); err != nil {
			Info("Error downloading index from previous manifest: %v", err)
		}
	}
	return u.session.call("POST", u.kind+"_index", query, nil, &u.wid)
}

func (u *upload) learn() error {
	raw, err := u.session.download("previous", url.Values{"archive-name": {u.name}})
	if err != nil {
		return err
	}
	index, err := format.DecodeIndex(raw)
	if err != nil {
		return err
	}
	if err := u.previous.Verify(u.name, index.Size, index.Checksum()); err != nil {
		return err
	}
	for _, digest := range index.Digests {
		u.known[digest] = true
	}
	return nil
}

// add appends a chunk. The data must not change afterwards.
func (u *upload) add(data []byte) error {
	return u.addDigest(u.key.Digest(data), data, int64(len(data)))
}

// addDigest appends a chunk whose digest is known; data may be nil if the server has it already.
func (u *upload) addDigest(digest format.Digest, data []byte, size int64) error {
	if u.known[digest] {
		u.reused += size
	} else {
		u.known[digest] = true
		u.slots <- struct{}{}
		u.pending.Add(1)
		go func() {
			defer func() { <-u.slots; u.pending.Done() }()
			u.fail(u.send(digest, data))
		}()
	}
	if u.kind == "dynamic" {
		u.sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(u.offset+size)))
	}
	u.sum.Write(digest[:])
	u.digests, u.offsets = append(u.digests, digest.String()), append(u.offsets, u.offset)
	u.offset += size
	u.count++
	if len(u.digests) >= appendBatch {
		return u.flush()
	}
	return u.failed()
}

func (u *upload) fail(err error) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if u.failure == nil && err != nil {
		u.failure = fmt.Errorf("pipelined request failed: %w", err)
	}
}

func (u *upload) failed() error {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	return u.failure
}

func (u *upload) send(digest format.Digest, data []byte) error {
	raw, err := format.EncodeCompressed(data, u.key)
	if err != nil {
		return err
	}
	u.mutex.Lock()
	u.sent += int64(len(raw))
	u.mutex.Unlock()
	query := url.Values{"wid": {strconv.Itoa(u.wid)}, "digest": {digest.String()}, "size": {strconv.Itoa(len(data))}, "encoded-size": {strconv.Itoa(len(raw))}}
	return u.session.call("POST", u.kind+"_chunk", query, raw, nil)
}

// flush waits for the chunks under way, then appends them to the index.
func (u *upload) flush() error {
	u.pending.Wait()
	if err := u.failed(); err != nil || len(u.digests) == 0 {
		return err
	}
	body, err := json.Marshal(map[string]any{"wid": u.wid, "digest-list": u.digests, "offset-list": u.offsets})
	if err != nil {
		return err
	}
	u.digests, u.offsets = u.digests[:0], u.offsets[:0]
	return u.session.call("PUT", u.kind+"_index", nil, body, nil)
}

// close completes the archive and says what it took.
func (u *upload) close() (summary, error) {
	if err := u.flush(); err != nil {
		return summary{}, err
	}
	s := summary{size: u.offset}
	u.sum.Sum(s.csum[:0])
	query := url.Values{"wid": {strconv.Itoa(u.wid)}, "chunk-count": {strconv.Itoa(u.count)}, "size": {strconv.FormatInt(u.offset, 10)}, "csum": {s.csum.String()}}
	if err := u.session.call("POST", u.kind+"_close", query, nil, nil); err != nil {
		return s, err
	}
	u.report()
	return s, nil
}

func (u *upload) report() {
	if u.name == format.CatalogName {
		Info("Uploaded backup catalog (%s)", cli.Bytes(u.offset))
		return
	}
	name := strings.TrimSuffix(strings.TrimSuffix(u.name, ".didx"), ".fidx")
	fresh, took := u.offset-u.reused, max(time.Since(u.started), time.Microsecond)
	Info("%s: had to backup %s of %s (compressed %s) in %.2fs", name, cli.Bytes(fresh), cli.Bytes(u.offset), cli.Bytes(u.sent), took.Seconds())
	Info("%s: average backup speed: %s/s", name, cli.Bytes(int64(float64(fresh)/took.Seconds())))
	if u.reused > 0 && u.offset > 1<<20 {
		Info("%s: backup was done incrementally, reused %s (%.1f%%)", name, cli.Bytes(u.reused), float64(u.reused)*100/float64(u.offset))
	}
}
