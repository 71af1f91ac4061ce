package pxar

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Catalog is told of every entry.
type Catalog interface {
	Start(name string)
	End()
	Add(kind byte, name string, size, mtime int64)
}

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
		CreateOptions: options, root: root, out: bufio.NewWriterSize(out, 1<<20), patterns: options.Exclude,
		links: map[[2]uint64]hardlink{}, device: st.Dev, buffer: make([]byte, 1<<20),
	}
	if e.SkipLostAndFound {
		p, _ := ParsePattern("lost+found", "", false)
		e.patterns = append(slices.Clone(e.patterns), p)
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

type noCatalog struct{}

func (noCatalog) Start(string)                   {}
func (noCatalog) End()                           {}
func (noCatalog) Add(byte, string, int64, int64) {}

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

func numbers(values ...uint64) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, v)
	}
	return out
}

func (e *encoder) metadata(full string, st *syscall.Stat_t) (m Metadata, err error) {
	m.Stat = Stat{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Sec: st.Mtim.Sec, Nsec: uint32(st.Mtim.Nsec)}
	if kind := m.kind(); kind == syscall.S_IFREG || kind == syscall.S_IFDIR {
		m.Flags = readFlags(full)
	}
	if err := m.readXattrs(full); err != nil {
		return m, err
	}
	if e.NoXattrs {
		m.Xattrs = nil
	}
	if e.NoFcaps {
		m.Fcaps = nil
	}
	if e.NoACLs {
		m.ACL = acl{}
	}
	return m, nil
}

func (e *encoder) writeMetadata(m Metadata) error {
	stat := numbers(uint64(m.Mode), m.Flags)
	stat = binary.LittleEndian.AppendUint32(stat, m.UID)
	stat = binary.LittleEndian.AppendUint32(stat, m.GID)
	stat = binary.LittleEndian.AppendUint64(stat, uint64(m.Sec))
	stat = binary.LittleEndian.AppendUint32(stat, m.Nsec)
	err := e.item(tEntry, append(stat, 0, 0, 0, 0))
	for _, x := range m.Xattrs {
		err = errors.Join(err, e.item(tXattr, []byte(x.Name), []byte{0}, x.Value))
	}
	list := func(kind uint64, entries []aclEntry) {
		for _, a := range entries {
			err = errors.Join(err, e.item(kind, numbers(a.id, a.perm)))
		}
	}
	list(tACLUser, m.ACL.users)
	list(tACLGroup, m.ACL.groups)
	if m.ACL.groupObj != nil {
		err = errors.Join(err, e.item(tACLGroupObj, numbers(*m.ACL.groupObj)))
	}
	if m.ACL.defaults != nil {
		err = errors.Join(err, e.item(tACLDefault, numbers(m.ACL.defaults[:]...)))
	}
	list(tACLDefaultUser, m.ACL.defaultUsers)
	list(tACLDefaultGroup, m.ACL.defaultGroups)
	if m.Fcaps != nil {
		err = errors.Join(err, e.item(tFcaps, m.Fcaps))
	}
	return err
}

// contents writes a directory's entries and its lookup table.
func (e *encoder) contents(dir string, entryStart uint64) error {
	depth, entries := len(e.patterns), e.entries
	defer func() { e.patterns, e.entries = e.patterns[:depth], entries }()
	e.readExcludes(dir)
	names, err := e.names(dir)
	if err != nil {
		return err
	}
	var table []goodbye
	for _, name := range names {
		start := e.pos
		if dir == "" && name == excludeCli {
			err = e.excludeFile()
		} else {
			err = e.entry(path.Join(dir, name), name)
		}
		if err != nil {
			return err
		}
		if e.pos > start {
			table = append(table, goodbye{hashName(name), start, e.pos - start})
		}
	}
	return e.table(table, entryStart)
}

func (e *encoder) table(items []goodbye, entryStart uint64) error {
	start := e.pos
	size := uint64(16 + 24*(len(items)+1))
	err := e.header(tGoodbye, size)
	for _, g := range searchTree(items) {
		err = errors.Join(err, e.raw(numbers(g.hash, start-g.offset, g.size)))
	}
	return errors.Join(err, e.raw(numbers(goodbyeTail, start-entryStart, size)))
}

const excludeCli = ".pxarexclude-cli"

// excludeFile keeps in the archive what was excluded on the command line.
func (e *encoder) excludeFile() error {
	var text strings.Builder
	for _, p := range e.patterns[:e.own] {
		text.WriteString(p.text + "\n")
	}
	e.Catalog.Add('f', excludeCli, int64(text.Len()), 0)
	return errors.Join(e.item(tFilename, []byte(excludeCli), []byte{0}),
		e.writeMetadata(Metadata{Stat: Stat{Mode: syscall.S_IFREG | 0o600}}),
		e.item(tPayload, []byte(text.String())))
}

func (e *encoder) names(dir string) ([]string, error) {
	listed, err := os.ReadDir(filepath.Join(e.root, dir))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range listed {
		relative := path.Join(dir, entry.Name())
		if dir == "" && entry.Name() == excludeCli || excluded(e.patterns, relative, entry.IsDir()) {
			continue
		}
		if e.entries++; e.MaxEntries > 0 && e.entries > e.MaxEntries {
			return nil, fmt.Errorf("exceeded allowed number of file entries (> %d)", e.MaxEntries)
		}
		names = append(names, entry.Name())
	}
	if dir == "" && e.own > 0 {
		names = append(names, excludeCli)
	}
	slices.Sort(names)
	return names, nil
}

func (e *encoder) readExcludes(dir string) {
	text, err := os.ReadFile(filepath.Join(e.root, dir, ".pxarexclude"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		glob, include := strings.CutPrefix(line, "!")
		p, err := ParsePattern(glob, dir, include)
		if err != nil {
			e.Warn("bad pattern in %q: %v", dir, err)
			continue
		}
		e.patterns = append(slices.Clip(e.patterns), p)
	}
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
		target, err := os.Readlink(full)
		if err != nil {
			return e.unreadable(relative, err)
		}
		e.Catalog.Add('l', name, 0, 0)
		return errors.Join(named(), e.item(tSymlink, []byte(target), []byte{0}))
	case syscall.S_IFBLK, syscall.S_IFCHR:
		if e.NoDevices {
			return nil
		}
		e.Catalog.Add(map[bool]byte{true: 'b', false: 'c'}[meta.kind() == syscall.S_IFBLK], name, 0, 0)
		return errors.Join(named(), e.item(tDevice, numbers(major(st.Rdev), minor(st.Rdev))))
	case syscall.S_IFIFO:
		if e.NoFifos {
			return nil
		}
		e.Catalog.Add('p', name, 0, 0)
		return named()
	case syscall.S_IFSOCK:
		if e.NoSockets {
			return nil
		}
		e.Catalog.Add('s', name, 0, 0)
		return named()
	}
	return fmt.Errorf("%q: encountered unknown file type: %o", relative, meta.kind())
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

func (e *encoder) directory(relative, name, full string, st *syscall.Stat_t, named func() error) error {
	if _, err := os.ReadDir(full); errors.Is(err, syscall.EACCES) {
		return e.unreadable(relative, err)
	}
	e.Catalog.Start(name)
	defer e.Catalog.End()
	start := e.pos + uint64(16+len(name)+1)
	if err := named(); err != nil {
		return err
	}
	outer := e.device
	defer func() { e.device = outer }()
	if st.Dev != outer {
		if isVirtual(full) || !e.AllFileSystems && !e.Devices[st.Dev] {
			e.Warn("skip mount point: %q", relative)
			return e.table(nil, start)
		}
		e.device = st.Dev
	}
	return e.contents(relative, start)
}

// openQuietly does not change the access time if the owner or root asks.
func openQuietly(full string) (*os.File, error) {
	flags := os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	file, err := os.OpenFile(full, flags|oNoatime, 0)
	if errors.Is(err, syscall.EPERM) {
		return os.OpenFile(full, flags, 0)
	}
	return file, err
}

func (e *encoder) file(relative, name, full string, st *syscall.Stat_t, named func() error) error {
	id := [2]uint64{st.Dev, st.Ino}
	if first, known := e.links[id]; known && st.Nlink > 1 {
		offset := e.pos - first.offset
		e.Catalog.Add('h', name, 0, 0)
		return errors.Join(e.item(tFilename, []byte(name), []byte{0}),
			e.item(tHardlink, numbers(offset), []byte(first.path), []byte{0}))
	}
	file, err := openQuietly(full)
	if err != nil {
		return e.unreadable(relative, err)
	}
	defer file.Close()
	if st.Nlink > 1 {
		e.links[id] = hardlink{relative, e.pos}
	}
	e.Catalog.Add('f', name, st.Size, st.Mtim.Sec)
	if err := errors.Join(named(), e.header(tPayload, 16+uint64(st.Size))); err != nil {
		return err
	}
	return e.payload(relative, file, st.Size)
}

// payload writes exactly the size announced, whatever happens to the file meanwhile. Holes are not read.
func (e *encoder) payload(relative string, file *os.File, size int64) error {
	sparse := false
	if info, err := file.Stat(); err == nil {
		sparse = info.Sys().(*syscall.Stat_t).Blocks*512 < size
	}
	for done := int64(0); done < size; {
		if sparse {
			data := min(NextData(file, done, size), size)
			if err := e.zeros(data - done); err != nil {
				return err
			}
			if done = data; done == size {
				break
			}
		}
		n, err := file.ReadAt(e.buffer[:min(int64(len(e.buffer)), size-done)], done)
		if n == 0 {
			if err != io.EOF {
				return fmt.Errorf("error at %q: %w", relative, err)
			}
			e.Warn("warning: file size shrunk while reading: %q, file will be padded with zeros!", relative)
			return e.zeros(size - done)
		}
		if err := e.raw(e.buffer[:n]); err != nil {
			return err
		}
		done += int64(n)
	}
	if n, _ := file.ReadAt(e.buffer[:1], size); n > 0 {
		e.Warn("warning: file size increased while reading: %q, file will be truncated!", relative)
	}
	return nil
}

var zeros [1 << 16]byte

func (e *encoder) zeros(n int64) error {
	for n > 0 {
		step := min(n, int64(len(zeros)))
		if err := e.raw(zeros[:step]); err != nil {
			return err
		}
		n -= step
	}
	return nil
}
