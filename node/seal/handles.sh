# shellcheck shell=bash
# Finds other ways into a sealed folder than its path, for container-seal.sh.

# The kernel asks for the mode of a folder only when somebody goes through it by name. Whoever had something below it open before goes
# on writing there. Prints such processes that are not real root's, at most ten: with a file, a folder, a program or a mount of it,
# by device and inode, because a process may have other names for the same folders. A mount of overlayfs shows nothing of what is
# below it, and dockerd's own are in the table of this process, so another one in a user namespace is told too. So is a file with a
# name outside of the folder. The folders are read last: what was made there meanwhile counts.
# What /proc does not show is not found: what waits in the queue of a socket or belongs to an io_uring, and a mount outside of
# the root of each process.
# Arguments: /proc, the folders.
readonly HANDLES='
import os, re, stat, sys
from collections import Counter
from itertools import islice

proc, folders = sys.argv[1], sys.argv[2:]
held, mounts, unread = {}, {}, []

# A process may end at any time. Nobody else may keep something from being read.
def attempt(read, path, nothing):
    try:
        return read(path)
    except (FileNotFoundError, ProcessLookupError):
        return nothing
    except OSError as error:
        unread.append(f"{path} cannot be read: {error.strerror}")
        return nothing

def text_of(path):
    with open(path, errors="surrogateescape") as file:
        return file.read()

def read(path):
    return attempt(text_of, path, "")

def list_folder(path):
    return [f"{path}/{name}" for name in attempt(os.listdir, path, [])]

def is_roots(task):
    uids = re.search(r"^Uid:(.*)$", read(f"{task}/status"), re.M)
    return not uids or set(uids[1].split()) == {"0"}

# Device, folder on it, place and kind of each mount.
def mounts_of(table):
    for line in table.split("\n")[:-1]:
        fields = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), one) for one in line.split(" ")]
        yield fields[2], fields[3], fields[4], fields[fields.index("-") + 1]

def is_below(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")

def look_at(task, number, own):
    command = ascii(read(f"{task}/comm").strip())[1:-1]
    name = f"process {number} ({command})"
    for path in [f"{task}/cwd", f"{task}/root", *list_folder(f"{task}/fd"), *list_folder(f"{task}/map_files")]:
        found = attempt(os.stat, path, None)
        if found:
            held.setdefault((found.st_dev, found.st_ino), name)
    if attempt(os.readlink, f"{task}/ns/user", own) != own:
        mounts.setdefault(read(f"{task}/mountinfo"), name)

def look_at_all():
    own = os.readlink(f"{proc}/self/ns/user")
    for process in os.listdir(proc):
        # Each thread may have files, a folder and an identity of its own.
        for thread in list_folder(f"{proc}/{process}/task") if process.isdigit() else []:
            task = f"{proc}/{os.path.basename(thread)}"
            if not is_roots(task):
                look_at(task, process, own)

# Where a folder is on its device, as tables of mounts have it.
def place_of(folder, table):
    path = os.path.realpath(folder)
    device, root, place, _ = sorted((one for one in table if is_below(path, one[2])), key=lambda one: len(one[2]))[-1]
    return device, root.rstrip("/") + path[len(place.rstrip("/")):]

def mounted(folder, table):
    own, path = place_of(folder, table)
    for others, name in mounts.items():
        if any(device == own and is_below(root, path) for device, root, _, _ in mounts_of(others)):
            yield f"{name} has mounted {folder}"

def overlays(table):
    own = {device for device, _, _, _ in table}
    for others, name in mounts.items():
        if any(kind == "overlay" and device not in own for device, _, _, kind in mounts_of(others)):
            yield f"{name} has an overlay of its own"

def go_on(error):
    if not isinstance(error, FileNotFoundError):
        raise error

# Without what is mounted below it.
def entries_of(folder):
    top = os.lstat(folder)
    yield folder, top
    for above, inner, files in os.walk(folder, onerror=go_on):
        all = ((name, attempt(os.lstat, f"{above}/{name}", None)) for name in [*inner, *files])
        found = {name: one for name, one in all if one and one.st_dev == top.st_dev}
        inner[:] = [name for name in inner if name in found]
        yield from ((f"{above}/{name}", one) for name, one in found.items())

def ways_into(folder):
    names, several = Counter(), {}
    for path, found in entries_of(folder):
        if (found.st_dev, found.st_ino) in held:
            yield f"{held[found.st_dev, found.st_ino]} has {path} open"
        if not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1:
            names[found.st_ino] += 1
            several[found.st_ino] = path, found.st_nlink
    yield from (f"{path} has another name elsewhere" for inode, (path, links) in several.items() if links > names[inode])

look_at_all()
table = [*mounts_of(text_of(f"{proc}/self/mountinfo"))]
found = [*overlays(table)]
for folder in folders:
    found += [*mounted(folder, table), *islice(ways_into(folder), 10)]
for one in [*found, *unread][:10]:
    print(one.encode("utf-8", "backslashreplace").decode())'

# What each line begins with.
readonly REACHED='not root alone: '

find_handles() { # <<<FOLDERS
  local folders
  mapfile -t folders < <(sed "s|^|$ROOT_DIR|")
  { python3 -c "$HANDLES" "$ROOT_DIR/proc" "${folders[@]}" || echo 'processes cannot be read'; } | sed "s|^|$REACHED|"
}
