#!/usr/bin/env bash
# Builds the lab's guest from Debian packages: a disk that boots by BIOS and takes its identity from
# a NoCloud seed, in the shape of Ubuntu's cloud image. Needs neither loop devices nor mounts, and
# root only to install what it needs.
#
#   build.sh OUTPUT.qcow2 [DEBIAN_MIRROR SECURITY_MIRROR]
set -euo pipefail

output=${1:?usage: build.sh OUTPUT.qcow2 [DEBIAN_MIRROR SECURITY_MIRROR]}
sources=()
if (($# > 1)); then
  sources=("deb $2 trixie main" "deb $2 trixie-updates main" "deb $3 trixie-security main")
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin

# What of Ubuntu's cloud image (noble-server-cloudimg-amd64.manifest) a node's scripts meet: what gives it its network, opens its
# disks, starts its sshd, updates its packages and looks on at every run of apt. There is neither a guest agent nor jq, and no docker:
# what else a node needs, the program installs.
packages=(
  systemd-sysv systemd-resolved dbus udev linux-image-cloud-amd64 initramfs-tools lz4
  cloud-init cloud-guest-utils netplan.io fdisk openssh-server sudo systemd-timesyncd
  unattended-upgrades needrestart ufw rsyslog cron multipath-tools
  e2fsprogs xfsprogs apparmor iptables iproute2 iputils-ping procps kmod
  ca-certificates curl gnupg python3
)
# What a node does not miss and an emulated CPU takes seconds over. A mounted /tmp is masked because
# Ubuntu has none.
masked=(
  dpkg-db-backup.timer
  e2scrub_all.timer e2scrub_reap.service xfs_scrub_all.timer
  cloud-init-hotplugd.socket systemd-pstore.service systemd-binfmt.service getty@tty1.service
  dev-hugepages.mount proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount
  sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount tmp.mount
  modprobe@configfs.service modprobe@drm.service modprobe@fuse.service
)

prerequisites() {
  local missing=()
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  [[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || missing+=(debian-archive-keyring)
  command -v grub-mkimage >/dev/null || missing+=(grub-common)
  [[ -e /usr/lib/grub/i386-pc/boot.img ]] || missing+=(grub-pc-bin)
  command -v mke2fs >/dev/null || missing+=(e2fsprogs)
  command -v sfdisk >/dev/null || missing+=(fdisk)
  command -v qemu-img >/dev/null || missing+=(qemu-utils)
  [[ $EUID -eq 0 ]] || command -v newuidmap >/dev/null || missing+=(uidmap)
  ((${#missing[@]})) || return 0
  local install=(apt-get install -y --no-install-recommends "${missing[@]}")
  if [[ $EUID -ne 0 ]]; then
    echo "missing packages; install them as root: ${install[*]}" >&2
    exit 1
  fi
  apt-get update && DEBIAN_FRONTEND=noninteractive "${install[@]}"
}

# Files of the tree belong to root with plain modes, whoever checked it out. They and the script go
# where another user id can read them, whatever the permissions of the checkout.
overlay() {
  tar -C "$here/root" --owner=root:0 --group=root:0 --mode='u=rwX,go=rX' \
    -cf "$work/overlay.tar" .
  install -m 755 "$here/customize.sh" "$work"
}

root_tree() {
  # The overlay goes in before the packages: their scripts then read it.
  mmdebstrap --mode="$mode" --variant=minbase --format=directory --components=main \
    --include="$(IFS=,; echo "${packages[*]}")" \
    --aptopt='Acquire::Languages "none"' \
    --essential-hook="tar-in '$work/overlay.tar' /" \
    --customize-hook="chroot \"\$1\" systemctl enable systemd-networkd systemd-resolved ssh.socket first-boot.service" \
    --customize-hook="chroot \"\$1\" systemctl disable ssh.service" \
    --customize-hook="chroot \"\$1\" systemctl mask ${masked[*]}" \
    --customize-hook="'$work/customize.sh' \"\$1\"" \
    trixie "$work/root" ${sources[@]+"${sources[@]}"}
  # Empty, so that each clone gets its own at its first boot.
  as_owner truncate -s 0 "$work/root/etc/machine-id"
}

# One ext4 partition behind the boot loader, in a sparse file. The loader lies in the gap before the
# partition: boot.img reads on from sector 1 by default, so nothing needs to be patched in.
disk() {
  local gap=$((1024 * 1024)) size=$((3 * 1024 * 1024 * 1024))
  truncate -s "$size" "$work/disk.raw"
  chmod 666 "$work/disk.raw"
  # Features that older GRUBs and e2fsprogs do not know stay off.
  as_owner mke2fs -q -t ext4 -L cloudimg-rootfs -O ^orphan_file,^metadata_csum_seed -m 0 \
    -E "offset=$gap,lazy_itable_init=1,root_owner=0:0" -d "$work/root" \
    "$work/disk.raw" "$(((size - gap) / 1024))k"
  printf 'label: dos\nstart=%d, type=83, bootable\n' $((gap / 512)) | sfdisk -q "$work/disk.raw"
  grub-mkimage -O i386-pc -p '(,msdos1)/boot/grub' -o "$work/core.img" \
    biosdisk part_msdos ext2 linux normal
  dd if=/usr/lib/grub/i386-pc/boot.img of="$work/disk.raw" bs=440 count=1 conv=notrunc status=none
  dd if="$work/core.img" of="$work/disk.raw" bs=512 seek=1 conv=notrunc status=none
}

# Not root: the tree belongs to the user's subordinate ids, which only a user namespace can act as.
as_owner() {
  if [[ $mode == root ]]; then "$@"; else mmdebstrap --unshare-helper "$@"; fi
}

cleanup() {
  [[ ! -e $work/root ]] || as_owner find "$work/root" -mindepth 1 -delete || true
  rm -rf "$work" "$output.part"
}

prerequisites
if [[ $EUID -eq 0 ]]; then mode=root; else mode=unshare; fi
work=$(mktemp -d)
trap cleanup EXIT
chmod 755 "$work"
overlay
root_tree
disk
# Not compressed: imports copy it or use it as a backing file, and no guest has to unpack what it
# reads.
qemu-img convert -O qcow2 "$work/disk.raw" "$output.part"
mv "$output.part" "$output"
