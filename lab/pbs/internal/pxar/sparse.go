// Reads and writes files with holes.

package pxar

import (
	"bytes"
	"errors"
	"os"
	"syscall"
)

// seekData is SEEK_DATA of lseek(2).
const seekData = 3

var zeroPage [4096]byte

func isZero(data []byte) bool {
	for len(data) >= len(zeroPage) {
		if !bytes.Equal(data[:len(zeroPage)], zeroPage[:]) {
			return false
		}
		data = data[len(zeroPage):]
	}
	return bytes.Equal(data, zeroPage[:len(data)])
}

// NextData is the offset of the first data at or after an offset, or the size if only a hole follows. A file
// system without holes has data everywhere.
func NextData(file *os.File, offset, size int64) int64 {
	at, err := file.Seek(offset, seekData)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return size
	case err != nil:
		return offset
	}
	return at
}

// SparseWriter leaves holes where a file is zero. Close it by Finish.
type SparseWriter struct {
	file   *os.File
	offset int64
}

// NewSparseWriter writes to an empty file.
func NewSparseWriter(file *os.File) *SparseWriter { return &SparseWriter{file: file} }

// Skip leaves a hole.
func (w *SparseWriter) Skip(n int64) { w.offset += n }

func (w *SparseWriter) Write(data []byte) (int, error) {
	const page = 4096
	total := len(data)
	for len(data) > 0 {
		n := min(len(data), page-int(w.offset%page))
		zero := isZero(data[:n])
		for n < len(data) {
			next := min(page, len(data)-n)
			if isZero(data[n:n+next]) != zero {
				break
			}
			n += next
		}
		if !zero {
			if _, err := w.file.WriteAt(data[:n], w.offset); err != nil {
				return total - len(data), err
			}
		}
		w.offset += int64(n)
		data = data[n:]
	}
	return total, nil
}

// Finish gives the file its length.
func (w *SparseWriter) Finish() error { return w.file.Truncate(w.offset) }
