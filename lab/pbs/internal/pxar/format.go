// Package pxar writes and reads Proxmox file archives, version 1 of the documented format.
package pxar

import (
	"encoding/binary"
	"math/bits"
	"sort"
	"syscall"
)

// Types of items in an archive; sizes and numbers are little-endian.
const (
	tEntry           = 0xd5956474e588acef
	tEntryV1         = 0x11da850a1c1cceff
	tFilename        = 0x16701121063917b3
	tSymlink         = 0x27f971e7dbf5dc5f
	tDevice          = 0x9fc9e906586d5ce9
	tXattr           = 0x0dab0229b57dcd03
	tACLUser         = 0x2ce8540a457d55b8
	tACLGroup        = 0x136e3eceb04c03ab
	tACLGroupObj     = 0x10868031e9582876
	tACLDefault      = 0xbbbb13415a6896f5
	tACLDefaultUser  = 0xc89357b40532cd1f
	tACLDefaultGroup = 0xf90a8a5816038ffe
	tFcaps           = 0x2da9dd9db5f7fb67
	tQuota           = 0xe07540e82f7d1cbb
	tHardlink        = 0x51269c8422bd7275
	tPayload         = 0x28147a1b0b7c1a25
	tGoodbye         = 0x2fec4fa642d5731d
	tVersion         = 0x730f6c75df16a40d
	goodbyeTail      = 0xef5eed5b753e1555

	hashKey1 = 0x83ac3f1cfbb450db
	hashKey2 = 0xaa4f1b6879369fbd
)

// Stat of an entry, with the file's type in Mode as stat(2) has it.
type Stat struct {
	Mode     uint32
	Flags    uint64 // see chattr
	UID, GID uint32
	Sec      int64
	Nsec     uint32
}

// Metadata of an entry.
type Metadata struct {
	Stat
	Xattrs []Xattr
	Fcaps  []byte
	ACL    acl
}

// Xattr is an extended attribute.
type Xattr struct {
	Name  string
	Value []byte
}

func (m Metadata) kind() uint32 { return m.Mode & syscall.S_IFMT }

// sipHash is the state of SipHash-2-4.
type sipHash struct{ a, b, c, d uint64 }

func (s *sipHash) round() {
	s.a += s.b
	s.b = bits.RotateLeft64(s.b, 13) ^ s.a
	s.a = bits.RotateLeft64(s.a, 32)
	s.c += s.d
	s.d = bits.RotateLeft64(s.d, 16) ^ s.c
	s.a += s.d
	s.d = bits.RotateLeft64(s.d, 21) ^ s.a
	s.c += s.b
	s.b = bits.RotateLeft64(s.b, 17) ^ s.c
	s.c = bits.RotateLeft64(s.c, 32)
}

func (s *sipHash) block(m uint64) {
	s.d ^= m
	s.round()
	s.round()
	s.a ^= m
}

// hashName is the hash of a name, the key of a directory's lookup table.
func hashName(name string) uint64 {
	s := sipHash{hashKey1 ^ 0x736f6d6570736575, hashKey2 ^ 0x646f72616e646f6d, hashKey1 ^ 0x6c7967656e657261, hashKey2 ^ 0x7465646279746573}
	rest := []byte(name)
	for ; len(rest) >= 8; rest = rest[8:] {
		s.block(binary.LittleEndian.Uint64(rest))
	}
	var last [8]byte
	copy(last[:], rest)
	last[7] = byte(len(name))
	s.block(binary.LittleEndian.Uint64(last[:]))
	s.c ^= 0xff
	for range 4 {
		s.round()
	}
	return s.a ^ s.b ^ s.c ^ s.d
}

// goodbye is an entry of a directory's lookup table.
type goodbye struct{ hash, offset, size uint64 }

// searchTree orders a table as a complete binary search tree in an array: children of i at 2i+1 and 2i+2.
func searchTree(items []goodbye) []goodbye {
	sort.Slice(items, func(i, j int) bool { return items[i].hash < items[j].hash })
	out, next := make([]goodbye, len(items)), 0
	var fill func(int)
	fill = func(i int) {
		if i >= len(out) {
			return
		}
		fill(2*i + 1)
		out[i] = items[next]
		next++
		fill(2*i + 2)
	}
	fill(0)
	return out
}

// device numbers as the kernel packs them in st_rdev.
func major(dev uint64) uint64 { return dev>>8&0xfff | dev>>32&0xfffff000 }
func minor(dev uint64) uint64 { return dev&0xff | dev>>12&0xffffff00 }
func makedev(major, minor uint64) uint64 {
	return (major&0xfff)<<8 | (major&0xfffff000)<<32 | minor&0xff | (minor&0xffffff00)<<12
}
