# shellcheck shell=bash
# The digest of a directory: a backup records it, a recovery compares with it.

# tree_digest DIRECTORY [NAME]: one SHA-256 over types, modes, owners, links and contents of everything below except NAME, in an
# order that does not depend on the disk. Sockets are left out, because no archive keeps them. It runs in a shell or container of
# its own, so it uses nothing else.
tree_digest() {
  cd "$1" || return 1
  set -- "${2:+./$2}"
  {
    find . -path "$1" -prune -o ! -type s -printf '%P|%y|%m|%U|%G|%l\0' | LC_ALL=C sort -z
    find . -path "$1" -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --zero --
  } | sha256sum | cut -d ' ' -f 1
}
