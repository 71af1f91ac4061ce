// Makes the entries of an archive as files.

package pxar

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// clear makes room for an entry if that is allowed.
func (x *extractor) clear(e *Entry, allowed bool) error {
	info, err := os.Lstat(x.full(e.Path))
	if err != nil || !allowed || info.IsDir() {
		return nil // what follows fails if something is in its way
	}
	return os.Remove(x.full(e.Path))
}

func (x *extractor) make(e *Entry, payload io.Reader) error {
	full := x.full(e.Path)
	if e.Hardlink {
		if err := errors.Join(x.clear(e, x.OverwriteHardlinks), x.checkLink(e.Target)); err != nil {
			return err
		}
		return os.Link(x.full(e.Target), full)
	}
	switch e.kind() {
	case syscall.S_IFREG:
		return x.file(e, payload)
	case syscall.S_IFLNK:
		if err := x.clear(e, x.OverwriteSymlinks); err != nil {
			return err
		}
		if err := os.Symlink(e.Target, full); err != nil {
			return err
		}
		return x.apply(e)
	}
	return x.special(e)
}

// checkLink refuses to link to anything outside: the target must be below the root without passing links.
func (x *extractor) checkLink(target string) error {
	parts := strings.Split(target, "/")
	for i, part := range parts {
		if err := checkName(part); err != nil {
			return err
		}
		info, err := os.Lstat(x.full(strings.Join(parts[:i+1], "/")))
		if err != nil {
			return err
		}
		if i < len(parts)-1 && !info.IsDir() || i == len(parts)-1 && info.IsDir() {
			return fmt.Errorf("hard link to %q leads outside of the archive", target)
		}
	}
	return nil
}

func (x *extractor) file(e *Entry, payload io.Reader) error {
	if err := x.clear(e, x.OverwriteFiles); err != nil {
		return err
	}
	file, err := os.OpenFile(x.full(e.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	out := NewSparseWriter(file)
	n, err := io.Copy(out, payload)
	if err == nil && n != e.Size {
		err = cut(io.EOF)
	}
	if err = errors.Join(err, out.Finish(), file.Close()); err != nil {
		return err
	}
	return x.apply(e)
}

func (x *extractor) special(e *Entry) error {
	kind := e.kind()
	device := kind == syscall.S_IFBLK || kind == syscall.S_IFCHR
	if device && x.NoDevices || kind == syscall.S_IFIFO && x.NoFifos || kind == syscall.S_IFSOCK && x.NoSockets {
		return nil
	}
	if err := x.clear(e, x.OverwriteFiles); err != nil {
		return err
	}
	if err := syscall.Mknod(x.full(e.Path), kind|0o600, int(e.Rdev)); err != nil {
		if device && x.IgnoreDeviceErrors {
			return nil
		}
		return fmt.Errorf("failed to create device node: %w", err)
	}
	return x.apply(e)
}

// xattrs are the extended attributes that a file gets, capabilities and access lists among them.
func (x *extractor) xattrs(e *Entry) (list []Xattr) {
	if !x.IgnoreXattrs {
		list = append(list, e.Xattrs...)
	}
	if !x.IgnoreFcaps && e.Fcaps != nil {
		list = append(list, Xattr{fcapsName, e.Fcaps})
	}
	if !x.IgnoreACLs {
		list = append(list, e.ACL.xattrs(e.Mode)...)
	}
	return list
}

// apply gives a file its metadata. The owner goes first, since a change of it takes setuid bits and
// capabilities away; then the time; last what keeps a file from being changed.
func (x *extractor) apply(e *Entry) error {
	full := x.full(e.Path)
	var errs []error
	if !x.IgnoreOwnership {
		errs = append(errs, os.Lchown(full, int(e.UID), int(e.GID)))
	}
	if !x.IgnorePermissions && e.kind() != syscall.S_IFLNK {
		errs = append(errs, syscall.Chmod(full, e.Mode&0o7777))
	}
	for _, a := range x.xattrs(e) {
		errs = append(errs, setXattr(full, a.Name, a.Value))
	}
	errs = append(errs, setTime(full, e.Sec, e.Nsec))
	if kind := e.kind(); kind == syscall.S_IFREG || kind == syscall.S_IFDIR {
		errs = append(errs, applyFlags(full, e.Flags))
	}
	return errors.Join(errs...)
}
