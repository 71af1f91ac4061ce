# shellcheck shell=bash
# Compares the layers of an image with its digests, for container-seal.sh and runtime/start.sh.

# Prints what differs on the disk from the digests of an image, at most ten lines for each layer. The digests are in the image's
# configuration, whose own digest is the image's id. Where the kernel renames folders by a note (redirect_dir), dockerd writes layers
# through a mount: then the kernel leaves out a device that hides nothing, and has devices instead of the attribute of a folder.
# Arguments: Docker's root folder, redirect_dir, the folder of subuid, the image's id, the folders from the last layer to the first.
readonly COMPARE='
import sys
from itertools import islice

def is_whiteout(found):
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0

def added(root, entries, opaque):
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = posixpath.join(folder, name)[len(root):]
            hidden = is_whiteout(os.lstat(root + path)) and not opaque.isdisjoint([*with_parents(path), "/"])
            if path not in entries and not hidden:
                yield root + path

# Layers have owners as the remapped user sees them, as far as the first of its ranges goes.
def is_owner(owners, found):
    ids = (found.st_uid - first[0], found.st_gid - first[1])
    return any(all(one >= length or one == id for one, id, length in zip(owner, ids, lengths)) for owner in owners)

def is_as(entry, path, found):
    if stat.S_IFMT(found.st_mode) != entry.kind or entry.modes and found.st_mode & 0o7777 not in entry.modes:
        return False
    if entry.size not in (None, found.st_size):
        return False
    entry.inodes.add(found.st_ino)
    detail = os.readlink(path) if entry.kind == stat.S_IFLNK else found.st_rdev
    return entry.detail in (None, detail) and len(entry.inodes) == 1 and (not entry.owners or is_owner(entry.owners, found))

def is_opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False

def differing(root, entries, opaque):
    if not stat.S_ISDIR(os.lstat(root).st_mode):
        yield root
        return
    yield from added(root, entries, opaque)
    for path, entry in entries.items():
        try:
            found = os.lstat(root + path)
        except (FileNotFoundError, NotADirectoryError):
            found = None
        gone = found is None and (entry.detail != 0 or native)
        if gone or found and not is_as(entry, root + path, found):
            yield root + path
    yield from (root + path.rstrip("/") for path in opaque if native and not is_opaque(root + path))

# How many ids the first range has; none where nobody says.
def length_of(file, start):
    try:
        with open(f"{ids}/{file}", errors="surrogateescape") as ranges:
            rows = [row.strip().split(":") for row in ranges]
    except FileNotFoundError:
        return 0
    return min((int(row[2]) for row in rows if len(row) == 3 and row[1] == str(start)), default=0)

# Which folder a layer is in, by what only root can write. The file link in it says which one a container gets instead of it.
def is_layer(folder, chain):
    algorithm, _, digest = chain.partition(":")
    with open(f"{docker}/image/overlay2/layerdb/{algorithm}/{digest}/cache-id") as file:
        place = f"{docker}/overlay2/{file.read()}"
    with open(folder + "/link") as file:
        name = file.read()
    return folder == place and "/" not in name and os.readlink(f"{docker}/overlay2/l/{name}") == f"../{os.path.basename(folder)}/diff"

def digests_of(image):
    algorithm, _, digest = image.partition(":")
    with open(f"{docker}/image/overlay2/imagedb/content/{algorithm}/{digest}", "rb") as file:
        configuration = file.read()
    if hashlib.sha256(configuration).hexdigest() != digest:
        raise ValueError("another configuration")
    return json.loads(configuration)["rootfs"]["diff_ids"]

def compare(folder, chain, digest):
    if not is_layer(folder, chain):
        yield folder
        return
    kept = chain.replace(":", "/")
    archive = Archive(f"{docker}/image/overlay2/layerdb/{kept}/tar-split.json.gz", folder + "/diff")
    found = [*islice(differing(folder + "/diff", *entries_of(archive)), 10)]
    same = f"sha256:{archive.digest.hexdigest()}" == digest
    yield from found or ([] if same else [digest])

docker, native, ids, image, folders = sys.argv[1], sys.argv[2] != "Y", sys.argv[3], sys.argv[4], sys.argv[:4:-1]
first = [int(one) for one in os.path.basename(docker).split(".")]
lengths = [length_of(file, start) for file, start in zip(("subuid", "subgid"), first)]
chain = ""
for digest, folder in zip(digests_of(image), folders, strict=True):
    chain = "sha256:" + hashlib.sha256(f"{chain} {digest}".encode()).hexdigest() if chain else digest
    for one in compare(folder, chain, digest):
        print(ascii(one)[1:-1])'

# compare_layers DOCKER IMAGE <<<FOLDERS: Docker's root folder, and the image's id.
compare_layers() {
  local folders redirects
  mapfile -t folders
  redirects=$(<"$ROOT_DIR/sys/module/overlay/parameters/redirect_dir")
  python3 -I -c "$READ_LAYER$COMPARE" "$ROOT_DIR$1" "$redirects" "$ROOT_DIR/etc" "$2" "${folders[@]/#/$ROOT_DIR}" ||
    echo "$2 cannot be read"
}
