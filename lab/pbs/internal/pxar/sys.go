package pxar

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"
)

const (
	oNoatime  = 0o1000000
	fcapsName = "security.capability"
	seekData  = 3
)

// xattrCall is one of the l*xattr system calls, which do not follow symbolic links.
func xattrCall(number uintptr, path, name string, buffer []byte) (int, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return 0, err
	}
	var data unsafe.Pointer
	if len(buffer) > 0 {
		data = unsafe.Pointer(&buffer[0])
	}
	var n uintptr
	var errno syscall.Errno
	if name == "" {
		n, _, errno = syscall.Syscall(number, uintptr(unsafe.Pointer(p)), uintptr(data), uintptr(len(buffer)))
	} else {
		q, err := syscall.BytePtrFromString(name)
		if err != nil {
			return 0, err
		}
		n, _, errno = syscall.Syscall6(number, uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(q)), uintptr(data), uintptr(len(buffer)), 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// sized asks for a size, then for the data, until both agree.
func sized(number uintptr, path, name string) ([]byte, error) {
	for {
		size, err := xattrCall(number, path, name, nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buffer := make([]byte, size)
		n, err := xattrCall(number, path, name, buffer)
		if !errors.Is(err, syscall.ERANGE) {
			return buffer[:max(n, 0)], err
		}
	}
}

func unsupported(err error) bool {
	return errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EBADF)
}

// readXattrs fills in attributes, capabilities and access lists.
func (m *Metadata) readXattrs(path string) error {
	names, err := sized(syscall.SYS_LLISTXATTR, path, "")
	if err != nil {
		if unsupported(err) {
			return nil
		}
		return &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	list := strings.FieldsFunc(string(names), func(r rune) bool { return r == 0 })
	slices.Sort(list)
	for _, name := range list {
		value, err := sized(syscall.SYS_LGETXATTR, path, name)
		if errors.Is(err, syscall.ENODATA) || unsupported(err) || errors.Is(err, syscall.EPERM) {
			continue
		}
		if err == nil {
			err = m.addXattr(name, value)
		}
		if err != nil {
			return &os.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
	}
	return nil
}

func (m *Metadata) addXattr(name string, value []byte) error {
	switch {
	case name == fcapsName:
		m.Fcaps = value
	case name == aclAccess:
		return m.ACL.readAccess(value)
	case name == aclDefault:
		return m.ACL.readDefault(value)
	case strings.HasPrefix(name, "user."), strings.HasPrefix(name, "trusted."), strings.HasPrefix(name, "security."):
		m.Xattrs = append(m.Xattrs, Xattr{name, value})
	}
	return nil
}

func setXattr(path, name string, value []byte) error {
	if _, err := xattrCall(syscall.SYS_LSETXATTR, path, name, value); err != nil {
		if unsupported(err) {
			return nil
		}
		return &os.PathError{Op: "setxattr " + name, Path: path, Err: err}
	}
	return nil
}

// setTime of anything, a symbolic link itself included.
func setTime(path string, sec int64, nsec uint32) error {
	const atFdcwd, symlinkNofollow, omit = -100, 0x100, (1 << 30) - 2
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	times := [2]syscall.Timespec{{Nsec: omit}, {Sec: sec, Nsec: int64(nsec)}}
	fd := atFdcwd
	_, _, errno := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&times)), symlinkNofollow, 0, 0)
	if errno != 0 {
		return &os.PathError{Op: "utimensat", Path: path, Err: errno}
	}
	return nil
}

// File systems that hold no data of their own (linux/magic.h), by what statfs(2) says.
var virtual = map[int64]bool{
	0x42494e4d: true, 0x27e0eb: true, 0x63677270: true, 0x64626720: true, 0x1cd1: true, 0xf15f083d: true,
	0x19800202: true, 0x6e736673: true, 0x9fa0: true, 0x6165676c: true, 0x67596969: true,
	0x73636673: true, 0xf97cff8c: true, 0x62656572: true, 0x74726163: true, 0xcafe4a11: true,
}

func isVirtual(path string) bool {
	var fs syscall.Statfs_t
	return syscall.Statfs(path, &fs) == nil && virtual[int64(fs.Type)]
}

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
