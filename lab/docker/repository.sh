#!/usr/bin/env bash
# Makes a signed apt repository, laid out as Docker's, of trees that hold what goes into packages.
#
#   repository.sh TREES REPOSITORY CODENAME
#
# TREES has a folder for each package, with its DEBIAN/control. REPOSITORY gets `gpg`, the public half of a key that signs once and
# is thrown away, and its fingerprint in `fingerprint`.
set -euo pipefail

trees=${1:?usage: repository.sh TREES REPOSITORY CODENAME} repository=${2:?} codename=${3:?}

# Docker compresses with xz; an emulated processor takes minutes to unpack that.
packages() {
  local tree
  mkdir -p "$repository/$pool"
  for tree in "$trees"/*/; do
    dpkg-deb --root-owner-group -Zzstd -z3 --build "$tree" "$repository/$pool" >/dev/null
  done
}

indices() {
  local index="dists/$codename/stable/binary-amd64"
  cd "$repository"
  mkdir -p "$index"
  apt-ftparchive packages "$pool" >"$index/Packages"
  gzip -9 -k -n "$index/Packages"
  apt-ftparchive -o APT::FTPArchive::Release::Origin=Docker -o APT::FTPArchive::Release::Label='Docker CE' \
    -o APT::FTPArchive::Release::Suite="$codename" -o APT::FTPArchive::Release::Codename="$codename" \
    -o APT::FTPArchive::Release::Architectures=amd64 -o APT::FTPArchive::Release::Components=stable \
    release "dists/$codename" >Release
  mv Release "dists/$codename/Release"
}

sign() {
  local home release="dists/$codename"
  home=$(mktemp -d)
  # shellcheck disable=SC2064 # as it is now
  trap "gpgconf --homedir '$home' --kill all; rm -rf '$home'" EXIT
  gpg=(gpg --homedir "$home" --batch --quiet --yes)
  "${gpg[@]}" --passphrase '' --quick-generate-key 'The lab of docker-node (not Docker)' rsa3072 sign never 2>/dev/null
  "${gpg[@]}" --armor --export >gpg
  "${gpg[@]}" --with-colons --fingerprint | awk -F: '$1 == "fpr" { print $10; exit }' >fingerprint
  "${gpg[@]}" --clearsign --output "$release/InRelease" "$release/Release"
  "${gpg[@]}" --armor --detach-sign --output "$release/Release.gpg" "$release/Release"
}

pool="dists/$codename/pool/stable/amd64"
packages
indices
sign
