package format

import (
	"encoding/binary"
)

var magicCatalog = []byte{145, 253, 96, 249, 196, 103, 88, 213}

// Catalog collects names and sizes of everything in a snapshot's pxar archives (catalog.pcat1): directories
// are written when they end, their entries before them.
type Catalog struct {
	data  []byte
	stack []catalogDir
}

type catalogDir struct {
	name  string
	count uint64
	table []byte
}

// NewCatalog begins one.
func NewCatalog() *Catalog {
	return &Catalog{data: append([]byte{}, magicCatalog...), stack: []catalogDir{{}}}
}

// Start enters a directory.
func (c *Catalog) Start(name string) { c.stack = append(c.stack, catalogDir{name: name}) }

func (c *Catalog) add(kind byte, name string, more func([]byte) []byte) {
	dir := &c.stack[len(c.stack)-1]
	dir.count++
	dir.table = append(dir.table, kind)
	dir.table = binary.AppendUvarint(dir.table, uint64(len(name)))
	dir.table = append(dir.table, name...)
	if more != nil {
		dir.table = more(dir.table)
	}
}

// Add enters anything but a directory: f file, l symlink, h hardlink, b, c devices, p fifo, s socket.
func (c *Catalog) Add(kind byte, name string, size, mtime int64) {
	if kind != 'f' {
		c.add(kind, name, nil)
		return
	}
	c.add(kind, name, func(out []byte) []byte {
		out = binary.AppendUvarint(out, uint64(size))
		return appendTime(out, mtime)
	})
}

// appendTime: seven bits a byte as uvarint; a negative number is its absolute value with a zero byte after
// a last byte marked as if more followed.
func appendTime(out []byte, v int64) []byte {
	if v >= 0 {
		return binary.AppendUvarint(out, uint64(v))
	}
	out = binary.AppendUvarint(out, uint64(-v))
	out[len(out)-1] |= 128
	return append(out, 0)
}

func readTime(in []byte) (int64, int) {
	var v uint64
	for i, b := range in {
		if i == 10 {
			break
		}
		if i > 0 && b == 0 {
			return -int64(v), i + 1
		}
		v |= uint64(b&127) << (7 * i)
		if b < 128 {
			return int64(v), i + 1
		}
	}
	return 0, 0
}

// encode closes the innermost directory's block and tells where it starts.
func (c *Catalog) encode() (catalogDir, uint64) {
	dir := c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
	start := uint64(len(c.data))
	count := binary.AppendUvarint(nil, dir.count)
	c.data = binary.AppendUvarint(c.data, uint64(len(count)+len(dir.table)))
	c.data = append(append(c.data, count...), dir.table...)
	return dir, start
}

// End leaves a directory. Its parent refers to it by the distance between their blocks, which is known only
// when the parent is written; so the parent's entries are kept with absolute places until then.
func (c *Catalog) End() {
	dir, start := c.closeDir()
	c.add('d', dir.name, func(out []byte) []byte { return binary.LittleEndian.AppendUint64(out, start) })
}

func (c *Catalog) closeDir() (catalogDir, uint64) {
	c.stack[len(c.stack)-1].table = c.relative(c.stack[len(c.stack)-1].table)
	return c.encode()
}

// relative turns the kept absolute places of directories into distances from here.
func (c *Catalog) relative(table []byte) []byte {
	here := uint64(len(c.data))
	var out []byte
	for len(table) > 0 {
		kind := table[0]
		length, n := binary.Uvarint(table[1:])
		head := 1 + n + int(length)
		out = append(out, table[:head]...)
		table = table[head:]
		switch kind {
		case 'd':
			out = binary.AppendUvarint(out, here-binary.LittleEndian.Uint64(table))
			table = table[8:]
		case 'f':
			_, n := binary.Uvarint(table)
			_, m := readTime(table[n:])
			out = append(out, table[:n+m]...)
			table = table[n+m:]
		}
	}
	return out
}

// Finish gives the whole file.
func (c *Catalog) Finish() []byte {
	_, start := c.closeDir()
	return binary.LittleEndian.AppendUint64(c.data, start)
}
