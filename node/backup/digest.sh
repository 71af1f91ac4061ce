# shellcheck shell=bash
# The digest a backup records of a volume, and a recovery compares with.

# tree_digest DIRECTORY: one SHA-256 over types, modes, owners, links and contents of everything below, whatever the order on
# disk. Sockets are left out: no archive keeps them. Runs in a shell or a container of its own, so it uses nothing else.
tree_digest() {
  cd "$1" || return 1
  {
    find . ! -type s -printf '%P|%y|%m|%U|%G|%l\0' | LC_ALL=C sort -z
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --zero --
  } | sha256sum | cut -d ' ' -f 1
}
