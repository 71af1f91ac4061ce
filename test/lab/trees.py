"""Makes a directory tree from a description on standard input, or tells everything about one.

trees.py make ROOT < entries.json     a list of {path, kind, mode, uid, gid, mtime, data|target|size, xattrs}
trees.py tell ROOT                    {path: facts}, read by other means than the programs under test use
"""

import hashlib
import json
import os
import stat
import sys


def make(root, entries):
    os.makedirs(root, exist_ok=True)
    for e in entries:
        full = os.path.join(root, e["path"])
        if e["kind"] == "dir":
            os.makedirs(full, exist_ok=True)
        elif e["kind"] == "file":
            with open(full, "wb") as f:
                f.write(bytes.fromhex(e["data"]) * e.get("times", 1))
                if e.get("size"):
                    f.truncate(e["size"])
        elif e["kind"] == "symlink":
            os.symlink(e["target"], full)
        elif e["kind"] == "hardlink":
            os.link(os.path.join(root, e["target"]), full)
        elif e["kind"] == "fifo":
            os.mkfifo(full)
    for e in reversed(entries):
        full = os.path.join(root, e["path"])
        if e["kind"] == "hardlink":
            continue
        os.chown(full, e["uid"], e["gid"], follow_symlinks=False)
        for name, value in e.get("xattrs", {}).items():
            os.setxattr(full, name, bytes.fromhex(value), follow_symlinks=False)
        if e["kind"] != "symlink":
            os.chmod(full, e["mode"])
        os.utime(full, ns=(e["mtime"], e["mtime"]), follow_symlinks=False)


def facts(full, root):
    st = os.lstat(full)
    told = {
        "mode": oct(st.st_mode),
        "owner": [st.st_uid, st.st_gid],
        "mtime": st.st_mtime_ns,
        "xattrs": {n: os.getxattr(full, n, follow_symlinks=False).hex() for n in sorted(os.listxattr(full, follow_symlinks=False))},
    }
    if stat.S_ISREG(st.st_mode):
        with open(full, "rb") as f:
            told["sha256"] = hashlib.sha256(f.read()).hexdigest()
        told["links"] = st.st_nlink
        told["inode"] = st.st_ino
    if stat.S_ISLNK(st.st_mode):
        told["target"] = os.readlink(full)
    return told


def tell(root):
    found = {"": facts(root, root)}
    for at, dirs, files in os.walk(root):
        for name in dirs + files:
            full = os.path.join(at, name)
            found[os.path.relpath(full, root)] = facts(full, root)
    first = {}
    for path in sorted(found):
        inode = found[path].pop("inode", None)
        if inode is not None:
            found[path]["same"] = first.setdefault(inode, path)
    return found


if sys.argv[1] == "make":
    make(sys.argv[2], json.load(sys.stdin))
else:
    json.dump(tell(sys.argv[2]), sys.stdout)
