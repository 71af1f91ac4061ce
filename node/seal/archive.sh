# shellcheck shell=bash
# Reads the archive of a layer, for compare.sh.

# A program for Python that others begin with: what has to be on the disk after dockerd has unpacked the archive (moby, pkg/archive).
# dockerd refuses an archive that has a path twice (vbatts/tar-split). A path .wh.NAME removes NAME of the layers below, for which
# there is a device 0:0, and the layer may have another NAME after it. A path .wh..wh..opq hides all that the layers below have in
# its folder, by an attribute of it.
# shellcheck disable=SC2034 # of compare.sh
readonly READ_LAYER='
import hashlib, os, posixpath, stat, tarfile

KINDS = {
    tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.FIFOTYPE: stat.S_IFIFO,
    tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK,
}

class Counted:
    def __init__(self, file):
        self.file, self.digest = file, hashlib.sha256()
    def read(self, size=-1):
        block = self.file.read(size)
        self.digest.update(block)
        return block

# Modes and owners are empty where the archive says nothing of them; names of one file may have said them differently.
class Entry:
    def __init__(self, kind, detail=None):
        self.kind, self.detail, self.modes, self.owners, self.inodes = kind, detail, set(), set(), set()

def with_parents(path):
    while path not in ("/", ""):
        yield path
        path = posixpath.dirname(path)

# An entry may go through a link that the archive has made before.
def resolve(path, entries):
    for _ in range(40):
        above = with_parents(posixpath.dirname(path))
        through = [one for one in above if one in entries and entries[one].kind == stat.S_IFLNK]
        if not through:
            break
        target = posixpath.join(posixpath.dirname(through[-1]), entries[through[-1]].detail)
        path = posixpath.normpath("/" + (target + path[len(through[-1]):]).lstrip("/"))
    return path

def entry_of(member, entries):
    if member.islnk():
        target = posixpath.normpath("/" + member.linkname.lstrip("/"))
        entry = entries.get(resolve(target, entries)) or Entry(stat.S_IFREG)
    else:
        entry = Entry(KINDS.get(member.type, stat.S_IFREG))
    if member.issym():
        entry.detail = member.linkname
    else:
        entry.modes.add(member.mode & 0o7777)
    if member.isdev() and not member.isfifo():
        entry.detail = os.makedev(member.devmajor, member.devminor)
    entry.owners.add((member.uid, member.gid))
    return entry

def add(member, entries, opaque):
    folder, name = posixpath.split(posixpath.normpath("/" + member.name.lstrip("/")))
    path = resolve(posixpath.join(folder, name.removeprefix(".wh.")), entries)
    for parent in with_parents(posixpath.dirname(path)):
        entries.setdefault(parent, Entry(stat.S_IFDIR))
    if name == ".wh..wh..opq":
        opaque.add(posixpath.dirname(path))
    elif name:
        entries[path] = Entry(stat.S_IFCHR, 0) if name.startswith(".wh.") else entry_of(member, entries)

def entries_of(layer):
    entries, opaque = {}, set()
    try:
        with tarfile.open(fileobj=layer, mode="r|") as archive:
            for member in archive:
                add(member, entries, opaque)
    except tarfile.ReadError:
        pass
    while layer.read(1 << 20):
        pass
    return entries, opaque'
