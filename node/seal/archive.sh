# shellcheck shell=bash
# Reads the archive of a layer, for compare.sh.

# A program for Python that others begin with. dockerd keeps of a layer what was in its archive beside the contents of files
# (vbatts/tar-split), in a file of root's. With the files as they are now, that is the archive again, whose digest is known. It proves
# what is in a file only where the disk has a file of the size that the archive says, so entries_of tells what else has to be on the
# disk after dockerd has unpacked the archive (moby, pkg/archive). dockerd refuses an archive that has a path twice. A path .wh.NAME
# removes NAME of the layers below, for which there is a device 0:0, and the layer may have another NAME after it. A path .wh..wh..opq
# hides all that the layers below have in its folder, by an attribute of it.
# shellcheck disable=SC2034 # of compare.sh
readonly READ_LAYER='
import base64, gzip, hashlib, json, os, posixpath, stat, tarfile

KINDS = {
    tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.FIFOTYPE: stat.S_IFIFO,
    tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK,
}

BLOCK = 1 << 16

# Where a path of the archive is: links lead to what is below the same root.
def place_of(root, name):
    path, parts, links = "/", name.split("/")[::-1], 40
    while parts:
        part = parts.pop()
        path = posixpath.normpath(posixpath.join(path, part))
        if parts and links and os.path.islink(root + path):
            target, links = os.readlink(root + path), links - 1
            parts += target.split("/")[::-1]
            path = "/" if target.startswith("/") else posixpath.dirname(path)
    return root + path

# Of what is no such file there is nothing, and the archive has another digest.
def contents_of(path, size):
    left = size
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            while left and stat.S_ISREG(os.fstat(file.fileno()).st_mode) and (block := file.read(min(left, BLOCK))):
                left -= len(block)
                yield block
    except OSError:
        pass
    while left:
        yield bytes(min(left, BLOCK))
        left -= min(left, BLOCK)

# Kinds of pieces: 1 is a file, 2 is everything else as it was.
def pieces_of(kept, root):
    with gzip.open(kept) as lines:
        for line in lines:
            piece = json.loads(line)
            if piece["type"] == 2:
                yield base64.b64decode(piece["payload"])
            elif piece.get("size"):
                name = piece.get("name") or os.fsdecode(base64.b64decode(piece["name_raw"]))
                yield from contents_of(place_of(root, name), piece["size"])

class Archive:
    def __init__(self, kept, root):
        self.pieces, self.rest, self.digest = pieces_of(kept, root), b"", hashlib.sha256()
    def read(self, size):
        while len(self.rest) < size and (piece := next(self.pieces, None)) is not None:
            self.digest.update(piece)
            self.rest += piece
        block, self.rest = self.rest[:size], self.rest[size:]
        return block

# Modes and owners are empty where the archive says nothing of them; names of one file may have said them differently.
class Entry:
    def __init__(self, kind, detail=None):
        self.kind, self.detail, self.modes, self.owners, self.inodes = kind, detail, set(), set(), set()
        self.size = None

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
        entry.size = member.size if entry.kind == stat.S_IFREG else None
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

def entries_of(archive):
    entries, opaque = {}, set()
    try:
        with tarfile.open(fileobj=archive, mode="r|", bufsize=BLOCK) as members:
            for member in members:
                add(member, entries, opaque)
    except tarfile.ReadError:
        pass
    while archive.read(BLOCK):
        pass
    return entries, opaque'
