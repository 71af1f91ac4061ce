// Prints a catalog.

package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"time"
)

var errCatalog = errors.New("unable to parse catalog data block")

// DumpCatalog writes one line an entry, as `catalog dump` does.
func DumpCatalog(data []byte, out io.Writer) error {
	if len(data) < 16 || string(data[:8]) != string(magicCatalog) {
		return errors.New("got unexpected magic number for catalog")
	}
	return dumpDir(data, ".", binary.LittleEndian.Uint64(data[len(data)-8:]), out)
}

func dumpDir(data []byte, prefix string, start uint64, out io.Writer) error {
	block, err := dirBlock(data, start)
	if err != nil {
		return err
	}
	count, n := binary.Uvarint(block)
	block = block[max(n, 0):]
	for ; count > 0; count-- {
		if len(block) < 2 {
			return errCatalog
		}
		kind := block[0]
		length, n := binary.Uvarint(block[1:])
		if n <= 0 || uint64(len(block)) < 1+uint64(n)+length {
			return errCatalog
		}
		name := "./" + path.Join(prefix, string(block[1+n:][:length]))
		if block, err = dumpEntry(data, kind, name, start, block[1+uint64(n)+length:], out); err != nil {
			return err
		}
	}
	return nil
}

// dirBlock is the content of the directory that begins at an offset.
func dirBlock(data []byte, start uint64) ([]byte, error) {
	if start >= uint64(len(data)) {
		return nil, errCatalog
	}
	size, n := binary.Uvarint(data[start:])
	if n <= 0 || start+uint64(n)+size > uint64(len(data)) {
		return nil, errCatalog
	}
	return data[start+uint64(n):][:size], nil
}

// dumpEntry writes one entry of the directory at start, and returns what follows the entry.
func dumpEntry(data []byte, kind byte, name string, start uint64, block []byte, out io.Writer) ([]byte, error) {
	switch kind {
	case 'd':
		distance, n := binary.Uvarint(block)
		if n <= 0 || distance == 0 || distance > start {
			return nil, errCatalog
		}
		fmt.Fprintf(out, "d %q\n", name)
		return block[n:], dumpDir(data, name, start-distance, out)
	case 'f':
		size, n := binary.Uvarint(block)
		if n <= 0 {
			return nil, errCatalog
		}
		mtime, m := readTime(block[n:])
		fmt.Fprintf(out, "f %q %d %s\n", name, size, time.Unix(mtime, 0).Format(TimeFormat))
		return block[n+m:], nil
	}
	fmt.Fprintf(out, "%c %q\n", kind, name)
	return block, nil
}
