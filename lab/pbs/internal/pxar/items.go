// Reads an archive item by item.

package pxar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxItem = 1 << 20 // of anything but payloads and lookup tables
	// MaxPath as in linux/limits.h.
	maxPath = 4096
)

// next reads the header of an item, unless it was only looked at.
func (d *decoder) next() error {
	if d.peeked {
		d.peeked = false
		return nil
	}
	var head [16]byte
	if _, err := io.ReadFull(d.in, head[:]); err != nil {
		return err
	}
	d.kind = binary.LittleEndian.Uint64(head[:])
	d.size = binary.LittleEndian.Uint64(head[8:])
	if d.size < 16 {
		return fmt.Errorf("invalid header %x - too small (%d)", d.kind, d.size)
	}
	d.size -= 16
	if d.kind == tVersion {
		return errors.New("the archive is of a version this program cannot read")
	}
	return nil
}

func (d *decoder) must() error {
	if err := d.next(); err != nil {
		return cut(err)
	}
	return nil
}

func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the archive ends too early")
	}
	return err
}

func (d *decoder) content() ([]byte, error) {
	if d.size > maxItem {
		return nil, fmt.Errorf("invalid content size (%d > %d) of header %x", d.size, maxItem, d.kind)
	}
	data := make([]byte, d.size)
	_, err := io.ReadFull(d.in, data)
	return data, cut(err)
}

func (d *decoder) text() (string, error) {
	data, err := d.content()
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(string(data), "\x00")
	if !ok || len(text) > maxPath {
		return "", fmt.Errorf("invalid text in header %x", d.kind)
	}
	return text, nil
}

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("invalid file name in archive: %q", name)
	}
	return nil
}
