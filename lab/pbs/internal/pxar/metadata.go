// Encodes what an entry has beside its content.

package pxar

import (
	"encoding/binary"
	"errors"
	"syscall"
)

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
	err = errors.Join(err, e.writeACL(m.ACL))
	if m.Fcaps != nil {
		err = errors.Join(err, e.item(tFcaps, m.Fcaps))
	}
	return err
}

func (e *encoder) writeACL(a acl) (err error) {
	list := func(kind uint64, entries []aclEntry) {
		for _, a := range entries {
			err = errors.Join(err, e.item(kind, numbers(a.id, a.perm)))
		}
	}
	list(tACLUser, a.users)
	list(tACLGroup, a.groups)
	if a.groupObj != nil {
		err = errors.Join(err, e.item(tACLGroupObj, numbers(*a.groupObj)))
	}
	if a.defaults != nil {
		err = errors.Join(err, e.item(tACLDefault, numbers(a.defaults[:]...)))
	}
	list(tACLDefaultUser, a.defaultUsers)
	list(tACLDefaultGroup, a.defaultGroups)
	return err
}
