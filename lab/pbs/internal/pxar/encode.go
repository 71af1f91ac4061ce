package pxar

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// CreateOptions say what goes into an archive.
type CreateOptions struct {
	Exclude           []Pattern
	AllFileSystems    bool
	Devices           map[uint64]bool // st_dev of mount points that are included
	SkipLostAndFound  bool
	NoXattrs, NoFcaps bool
	NoACLs            bool
	NoDevices         bool
	NoFifos           bool
	NoSockets         bool
	MaxEntries        int
	Catalog           Catalog
	Warn              func(format string, args ...any)
}

type encoder struct {
	CreateOptions
	root     string
	out      *bufio.Writer
	pos      uint64
	patterns []Pattern
	own      int // patterns of the command line
	entries  int
	links    map[[2]uint64]hardlink
	device   uint64
	buffer   []byte
}

type hardlink struct {
	path   string
	offset uint64
}

// Create writes the archive of a directory.
func Create(root string, out io.Writer, options CreateOptions) error {
	if isVirtual(root) {
		return errors.New("refusing to backup a virtual file system")
	}
	var st syscall.Stat_t
	if err := syscall.Stat(root, &st); err != nil {
		return &os.PathError{Op: "stat", Path: root, Err: err}
	}
	if options.Catalog == nil {
		options.Catalog = noCatalog{}
	}
	e := &encoder{
		CreateOptions: options, root: root, out: bufio.NewWriterSize(out, 1<<20), patterns: options.excluded(),
		links: map[[2]uint64]hardlink{}, device: st.Dev, buffer: make([]byte, 1<<20),
	}
	meta, err := e.metadata(root+"/.", &st)
	if err != nil {
		return err
	}
	e.own = len(e.patterns)
	if err := errors.Join(e.writeMetadata(meta), e.contents("", 0)); err != nil {
		return err
	}
	return e.out.Flush()
}

// excluded are the patterns of what is left out.
func (o CreateOptions) excluded() []Pattern {
	if !o.SkipLostAndFound {
		return o.Exclude
	}
	p, _ := ParsePattern("lost+found", "", false)
	return append(slices.Clone(o.Exclude), p)
}

func (e *encoder) raw(data []byte) error {
	n, err := e.out.Write(data)
	e.pos += uint64(n)
	return err
}

func (e *encoder) item(kind uint64, parts ...[]byte) error {
	size := uint64(16)
	for _, part := range parts {
		size += uint64(len(part))
	}
	err := e.header(kind, size)
	for _, part := range parts {
		err = errors.Join(err, e.raw(part))
	}
	return err
}

func (e *encoder) header(kind, size uint64) error {
	head := binary.LittleEndian.AppendUint64(nil, kind)
	return e.raw(binary.LittleEndian.AppendUint64(head, size))
}

// entry writes one entry of a directory; nothing if it vanished or may not be read.
func (e *encoder) entry(relative, name string) error {
	full := filepath.Join(e.root, relative)
	var st syscall.Stat_t
	if err := syscall.Lstat(full, &st); err != nil {
		return e.unreadable(relative, err)
	}
	meta, err := e.metadata(full, &st)
	if err != nil {
		return e.unreadable(relative, err)
	}
	named := func() error {
		return errors.Join(e.item(tFilename, []byte(name), []byte{0}), e.writeMetadata(meta))
	}
	switch meta.kind() {
	case syscall.S_IFREG:
		return e.file(relative, name, full, &st, named)
	case syscall.S_IFDIR:
		return e.directory(relative, name, full, &st, named)
	case syscall.S_IFLNK:
		return e.symlink(relative, name, full, named)
	}
	return e.special(relative, name, &st, named)
}

func (e *encoder) symlink(relative, name, full string, named func() error) error {
	target, err := os.Readlink(full)
	if err != nil {
		return e.unreadable(relative, err)
	}
	e.Catalog.Add('l', name, 0, 0)
	return errors.Join(named(), e.item(tSymlink, []byte(target), []byte{0}))
}

// special writes a device, a pipe or a socket, unless the options leave it out.
func (e *encoder) special(relative, name string, st *syscall.Stat_t, named func() error) error {
	kind := st.Mode & syscall.S_IFMT
	types := map[uint32]struct {
		letter byte
		left   bool
	}{
		syscall.S_IFBLK:  {'b', e.NoDevices},
		syscall.S_IFCHR:  {'c', e.NoDevices},
		syscall.S_IFIFO:  {'p', e.NoFifos},
		syscall.S_IFSOCK: {'s', e.NoSockets},
	}
	found, known := types[kind]
	switch {
	case !known:
		return fmt.Errorf("%q: encountered unknown file type: %o", relative, kind)
	case found.left:
		return nil
	}
	e.Catalog.Add(found.letter, name, 0, 0)
	if kind == syscall.S_IFIFO || kind == syscall.S_IFSOCK {
		return named()
	}
	return errors.Join(named(), e.item(tDevice, numbers(major(st.Rdev), minor(st.Rdev))))
}

func (e *encoder) unreadable(relative string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Warn("warning: file vanished while reading: %q", relative)
	case errors.Is(err, syscall.EACCES):
		e.Warn("failed to open file: %q: access denied", relative)
	default:
		return fmt.Errorf("error at %q: %w", relative, err)
	}
	return nil
}
