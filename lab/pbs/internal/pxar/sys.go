package pxar

import (
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
