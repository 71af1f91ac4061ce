package pxar

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// Flags of a file system's own, as chattr(1) sets them: what the archive calls them, and what the kernel does
// (linux/fs.h). The kernel wants CAP_LINUX_IMMUTABLE for append only and immutable.
var chattr = []struct {
	archive uint64
	kernel  uint32
}{
	{0x0001_0000, 0x0000_0020}, // append only
	{0x0002_0000, 0x0000_0080}, // no access times
	{0x0004_0000, 0x0000_0004}, // compressed
	{0x0008_0000, 0x0080_0000}, // no copy on write
	{0x0010_0000, 0x0000_0040}, // no dump
	{0x0020_0000, 0x0001_0000}, // synchronous directory
	{0x0040_0000, 0x0000_0010}, // immutable
	{0x0080_0000, 0x0000_0008}, // synchronous
	{0x0100_0000, 0x0000_0400}, // not compressed
	{0x0200_0000, 0x2000_0000}, // project inherited
}

const (
	getFlags = 0x80086601 // FS_IOC_GETFLAGS
	setFlags = 0x40086602 // FS_IOC_SETFLAGS
)

func archiveFlags(kernel uint32) (flags uint64) {
	for _, f := range chattr {
		if kernel&f.kernel != 0 {
			flags |= f.archive
		}
	}
	return flags
}

func kernelFlags(archive uint64) (flags, known uint32) {
	for _, f := range chattr {
		known |= f.kernel
		if archive&f.archive != 0 {
			flags |= f.kernel
		}
	}
	return flags, known
}

// flagsCall is one of the two ioctls, which take an int where their numbers say long.
func flagsCall(file *os.File, request uintptr, flags *uint32) error {
	var buffer [2]uint32
	buffer[0] = *flags
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(unsafe.Pointer(&buffer)))
	if errno != 0 {
		return errno
	}
	*flags = buffer[0]
	return nil
}

func noFlags(err error) bool {
	return errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.EINVAL) || unsupported(err)
}

// readFlags of a file or directory; none where the file system has none, or it cannot be opened.
func readFlags(path string) uint64 {
	file, err := openQuietly(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	var flags uint32
	if flagsCall(file, getFlags, &flags) != nil {
		return 0
	}
	return archiveFlags(flags)
}

// applyFlags sets those of the archive, and leaves others as they are.
func applyFlags(path string, archive uint64) error {
	wanted, known := kernelFlags(archive)
	if wanted == 0 {
		return nil
	}
	file, err := openQuietly(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return changeFlags(file, path, wanted, known)
}

func changeFlags(file *os.File, path string, wanted, known uint32) error {
	var now uint32
	switch err := flagsCall(file, getFlags, &now); {
	case noFlags(err):
		return nil
	case err != nil:
		return &os.PathError{Op: "failed to read file attributes", Path: path, Err: err}
	}
	next := wanted | now&^known
	if next == now {
		return nil
	}
	if err := flagsCall(file, setFlags, &next); err != nil && !noFlags(err) {
		return &os.PathError{Op: "failed to set file attributes", Path: path, Err: err}
	}
	return nil
}
