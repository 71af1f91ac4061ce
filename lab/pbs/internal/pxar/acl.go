package pxar

import (
	"encoding/binary"
	"errors"
)

// POSIX ACLs as the kernel keeps them in attributes (acl(5), linux/posix_acl_xattr.h).
const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"

	tagUserObj  = 0x01
	tagUser     = 0x02
	tagGroupObj = 0x04
	tagGroup    = 0x08
	tagMask     = 0x10
	tagOther    = 0x20

	noID   = 0xffffffff
	noMask = ^uint64(0)
)

type aclEntry struct {
	id   uint64
	perm uint64
}

// acl of an entry in the archive's terms: the mode holds owner, mask and others of an access list.
type acl struct {
	users, groups               []aclEntry
	groupObj                    *uint64
	defaults                    *[4]uint64 // owner, group, others, mask
	defaultUsers, defaultGroups []aclEntry
}

var errACL = errors.New("unable to read access control list")

func parseACL(raw []byte, each func(tag uint16, perm, id uint64)) error {
	if len(raw) < 4 || binary.LittleEndian.Uint32(raw) != 2 || len(raw)%8 != 4 {
		return errACL
	}
	for raw = raw[4:]; len(raw) > 0; raw = raw[8:] {
		each(binary.LittleEndian.Uint16(raw), uint64(binary.LittleEndian.Uint16(raw[2:])), uint64(binary.LittleEndian.Uint32(raw[4:])))
	}
	return nil
}

func (a *acl) readAccess(raw []byte) error {
	masked, group := false, uint64(0)
	err := parseACL(raw, func(tag uint16, perm, id uint64) {
		switch tag {
		case tagUser:
			a.users = append(a.users, aclEntry{id, perm})
		case tagGroup:
			a.groups = append(a.groups, aclEntry{id, perm})
		case tagGroupObj:
			group = perm
		case tagMask:
			masked = true
		}
	})
	if masked {
		a.groupObj = &group
	}
	return err
}

func (a *acl) readDefault(raw []byte) error {
	a.defaults = &[4]uint64{3: noMask}
	return parseACL(raw, func(tag uint16, perm, id uint64) {
		switch tag {
		case tagUserObj:
			a.defaults[0] = perm
		case tagGroupObj:
			a.defaults[1] = perm
		case tagOther:
			a.defaults[2] = perm
		case tagMask:
			a.defaults[3] = perm
		case tagUser:
			a.defaultUsers = append(a.defaultUsers, aclEntry{id, perm})
		case tagGroup:
			a.defaultGroups = append(a.defaultGroups, aclEntry{id, perm})
		}
	})
}

func encodeACL(user, group, other, mask uint64, users, groups []aclEntry) []byte {
	out := binary.LittleEndian.AppendUint32(nil, 2)
	add := func(tag uint16, perm, id uint64) {
		out = binary.LittleEndian.AppendUint16(out, tag)
		out = binary.LittleEndian.AppendUint16(out, uint16(perm))
		out = binary.LittleEndian.AppendUint32(out, uint32(id))
	}
	add(tagUserObj, user, noID)
	for _, e := range users {
		add(tagUser, e.perm, e.id)
	}
	add(tagGroupObj, group, noID)
	for _, e := range groups {
		add(tagGroup, e.perm, e.id)
	}
	if mask != noMask {
		add(tagMask, mask, noID)
	}
	add(tagOther, other, noID)
	return out
}

// xattrs gives the lists back as attributes of a file with this mode.
func (a *acl) xattrs(mode uint32) []Xattr {
	var out []Xattr
	if a.groupObj != nil {
		m := uint64(mode)
		out = append(out, Xattr{aclAccess, encodeACL(m>>6&7, *a.groupObj, m&7, m>>3&7, a.users, a.groups)})
	}
	if d := a.defaults; d != nil {
		out = append(out, Xattr{aclDefault, encodeACL(d[0], d[1], d[2], d[3], a.defaultUsers, a.defaultGroups)})
	}
	return out
}
