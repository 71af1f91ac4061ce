// Decodes what an entry has beside its content.

package pxar

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"syscall"
)

func (e *Entry) readStat(data []byte, old bool) error {
	if len(data) != 40 && !(old && len(data) == 32) {
		return fmt.Errorf("invalid entry at %q", e.Path)
	}
	le := binary.LittleEndian
	e.Stat = Stat{Mode: uint32(le.Uint64(data)), Flags: le.Uint64(data[8:]), UID: le.Uint32(data[16:]), GID: le.Uint32(data[20:])}
	if e.Sec = int64(le.Uint64(data[24:])); old {
		e.Sec, e.Nsec = e.Sec/1e9, uint32(e.Sec%1e9)
	} else {
		e.Nsec = le.Uint32(data[32:])
	}
	return nil
}

// rest reads attributes until something tells what the entry is.
func (d *decoder) rest(e *Entry) error {
	for {
		if err := d.next(); err == io.EOF && e.kind() != syscall.S_IFDIR && e.kind() != syscall.S_IFREG {
			return d.visitor.Enter(e, nil)
		} else if err != nil {
			return cut(err)
		}
		switch d.kind {
		case tPayload:
			return d.payload(e)
		case tFilename, tGoodbye:
			d.peeked = true
			return d.withoutContent(e)
		case tSymlink:
			return d.symlink(e)
		}
		data, err := d.content()
		if err != nil {
			return err
		}
		if done, err := d.attribute(e, data); done || err != nil {
			return err
		}
	}
}

func (d *decoder) withoutContent(e *Entry) error {
	if e.kind() == syscall.S_IFDIR {
		return d.directory(e)
	}
	return d.visitor.Enter(e, nil)
}

func (d *decoder) symlink(e *Entry) (err error) {
	if e.Target, err = d.text(); err != nil {
		return err
	}
	return d.visitor.Enter(e, nil)
}

func (e *Entry) readXattr(data []byte) error {
	name, value, ok := strings.Cut(string(data), "\x00")
	if !ok {
		return fmt.Errorf("invalid extended attribute at %q", e.Path)
	}
	e.Xattrs = append(e.Xattrs, Xattr{name, []byte(value)})
	return nil
}

func (d *decoder) attribute(e *Entry, data []byte) (done bool, err error) {
	if e.ACL.readItem(d.kind, data) {
		return false, nil
	}
	le := binary.LittleEndian
	switch d.kind {
	case tXattr:
		return false, e.readXattr(data)
	case tFcaps:
		e.Fcaps = data
	case tQuota:
	case tDevice:
		if len(data) != 16 {
			return false, fmt.Errorf("invalid device at %q", e.Path)
		}
		e.Rdev = makedev(le.Uint64(data), le.Uint64(data[8:]))
		return true, d.visitor.Enter(e, nil)
	default:
		return false, fmt.Errorf("unexpected header %x at %q", d.kind, e.Path)
	}
	return false, nil
}

// readItem takes over an item that belongs to the access lists. It returns false for any other.
func (a *acl) readItem(kind uint64, data []byte) bool {
	le := binary.LittleEndian
	lists := map[uint64]*[]aclEntry{
		tACLUser: &a.users, tACLGroup: &a.groups, tACLDefaultUser: &a.defaultUsers, tACLDefaultGroup: &a.defaultGroups,
	}
	list, ofList := lists[kind]
	switch {
	case ofList && len(data) == 16:
		*list = append(*list, aclEntry{le.Uint64(data), le.Uint64(data[8:])})
	case kind == tACLGroupObj && len(data) == 8:
		perm := le.Uint64(data)
		a.groupObj = &perm
	case kind == tACLDefault && len(data) == 32:
		a.defaults = &[4]uint64{le.Uint64(data), le.Uint64(data[8:]), le.Uint64(data[16:]), le.Uint64(data[24:])}
	}
	return ofList || kind == tACLGroupObj || kind == tACLDefault
}
