package format

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

const indexHeader = 4096

var (
	magicFixed   = []byte{47, 127, 65, 237, 145, 253, 15, 205}
	magicDynamic = []byte{28, 145, 78, 165, 25, 186, 179, 205}
)

// Index lists the chunks of an archive. A fixed one (ChunkSize > 0) has chunks of one size but for the last.
type Index struct {
	ChunkSize int64
	Size      int64
	Digests   []Digest
	Ends      []int64 // of dynamic chunks
}

// IsFixed tells by the name of an archive on the server.
func IsFixed(name string) bool { return strings.HasSuffix(name, ".fidx") }

// Count is how many chunks a fixed index must have.
func (x *Index) Count() int64 { return (x.Size + x.ChunkSize - 1) / x.ChunkSize }

// Range of a chunk within the archive.
func (x *Index) Range(i int) (start, end int64) {
	if x.ChunkSize > 0 {
		start = int64(i) * x.ChunkSize
		return start, min(start+x.ChunkSize, x.Size)
	}
	if i > 0 {
		start = x.Ends[i-1]
	}
	return start, x.Ends[i]
}

// body is the index without its header, as it is stored and summed.
func (x *Index) body() []byte {
	var out []byte
	for i, d := range x.Digests {
		if x.ChunkSize == 0 {
			out = binary.LittleEndian.AppendUint64(out, uint64(x.Ends[i]))
		}
		out = append(out, d[:]...)
	}
	return out
}

// Checksum over the index without its header.
func (x *Index) Checksum() Digest { return sha256.Sum256(x.body()) }

// Encode writes the file.
func (x *Index) Encode() []byte {
	out := make([]byte, indexHeader)
	copy(out, magicDynamic)
	if x.ChunkSize > 0 {
		copy(out, magicFixed)
		binary.LittleEndian.PutUint64(out[64:], uint64(x.Size))
		binary.LittleEndian.PutUint64(out[72:], uint64(x.ChunkSize))
	}
	_, _ = rand.Read(out[8:24])
	binary.LittleEndian.PutUint64(out[24:], uint64(time.Now().Unix()))
	sum := x.Checksum()
	copy(out[32:], sum[:])
	return append(out, x.body()...)
}

// DecodeIndex reads a file and verifies its own checksum.
func DecodeIndex(raw []byte) (*Index, error) {
	if len(raw) < indexHeader {
		return nil, errors.New("index file too small")
	}
	x, entry := &Index{}, 40
	switch {
	case bytes.Equal(raw[:8], magicFixed):
		x.Size = int64(binary.LittleEndian.Uint64(raw[64:]))
		x.ChunkSize = int64(binary.LittleEndian.Uint64(raw[72:]))
		entry = 32
	case !bytes.Equal(raw[:8], magicDynamic):
		return nil, errors.New("got unknown magic number")
	}
	if err := x.readBody(raw[indexHeader:], entry); err != nil {
		return nil, err
	}
	sum := x.Checksum()
	if !bytes.Equal(raw[32:64], sum[:]) {
		return nil, fmt.Errorf("wrong checksum of index file")
	}
	return x, nil
}

// readBody reads the chunks, of so many bytes each.
func (x *Index) readBody(body []byte, entry int) error {
	if len(body)%entry != 0 || entry == 32 && (x.ChunkSize <= 0 || x.Count() != int64(len(body)/32)) {
		return errors.New("got unexpected file size")
	}
	for ; len(body) > 0; body = body[entry:] {
		if entry == 40 {
			x.Size = int64(binary.LittleEndian.Uint64(body))
			x.Ends = append(x.Ends, x.Size)
		}
		x.Digests = append(x.Digests, Digest(body[entry-32:entry]))
	}
	return nil
}
