#!/bin/sh
# Finishes the root tree $1 before it becomes a disk.
set -eu
root=$1

# Each clone has its own name and host keys.
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/hostname
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"

# The first boot updates packages, as Proxmox asks of cloud-init by default (ciupgrade), and the lab's
# network has no name server: the package mirror is for the program to declare.
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*

# Debian ships profiles of a hundred programs that are not installed, and compiles each at the first
# boot.
find "$root/etc/apparmor.d" -maxdepth 1 -type f ! -name runc ! -name unix-chkpwd -delete

# Proxmox writes "user: NAME", deprecated since 22.2, which would end every boot as "degraded", with
# exit status 2.
sed -i 's/^DEPRECATION_INFO_BOUNDARY = .*/DEPRECATION_INFO_BOUNDARY = "22.1"/' \
  "$root/usr/lib/python3/dist-packages/cloudinit/features.py"
chroot "$root" py3compile -p cloud-init

# Or the first boot takes /usr for updated and rebuilds every cache.
for dir in etc var; do
  touch -r "$root/usr" "$root/$dir/.updated"
done
