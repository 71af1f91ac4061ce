# shellcheck shell=bash
# Prepares the place where Docker keeps its data: grows the root disk, formats or adopts the data disk, and never formats a disk
# that holds anything.
# DOCKER_DISK          stable path of the data disk (/dev/disk/by-id/...), empty for the root disk
# DATA_ROOT            mount point, Docker's data-root (default /var/lib/docker)
# GROW_ROOT            true (default) grows the root partition and filesystem to the disk
# DISTRIBUTION_MIRROR  archive to take xfsprogs and growpart from, if they are missing
# Result: {"filesystem":"xfs","pquota":true,"ftype":1,"device":"/dev/disk/by-uuid/..."} of the filesystem under DATA_ROOT.
SCRIPT=storage
# shellcheck source-path=SCRIPTDIR source=lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=check.sh
declare -F differs >/dev/null || . "${BASH_SOURCE[0]%/*}/check.sh"
# shellcheck source-path=SCRIPTDIR source=apt.sh
declare -F apt_get >/dev/null || . "${BASH_SOURCE[0]%/*}/apt.sh"
# shellcheck source-path=SCRIPTDIR source=apt-sources.sh
declare -F take_out >/dev/null || . "${BASH_SOURCE[0]%/*}/apt-sources.sh"

DOCKER_DISK="${DOCKER_DISK:-}" DATA_ROOT="${DATA_ROOT:-/var/lib/docker}" GROW_ROOT="${GROW_ROOT:-true}"
DISTRIBUTION_MIRROR="${DISTRIBUTION_MIRROR:-}" DEVICE_TIMEOUT="${DEVICE_TIMEOUT:-60}"
readonly LABEL=docker-data FSTAB="$ROOT_DIR/etc/fstab"
readonly DROP_IN="$ROOT_DIR/etc/systemd/system/docker.service.d/10-docker-node-data-root.conf"

# A root on LVM, RAID or anything else but a plain partition is somebody's own layout. Then only its filesystem is grown.
grow_root() {
  local device filesystem disk number
  device=$(findmnt -nfro SOURCE /)
  filesystem=$(findmnt -nfro FSTYPE /)
  number="$ROOT_DIR/sys/class/block/${device##*/}/partition"
  if [[ -r $number ]]; then
    disk=$(lsblk -dnro PKNAME "$device")
    rescan "$disk"
    grow_partition "/dev/$disk" "$(<"$number")"
  fi
  grow_filesystem "$device" "$filesystem" /
}

# A SCSI disk that was enlarged while the machine ran shows its new size only after this. virtio and NVMe report it by themselves.
rescan() {
  local control="$ROOT_DIR/sys/class/block/$1/device/rescan"
  [[ ! -w $control ]] || printf '1\n' >"$control"
}

# growpart exits 1 for both "cannot be grown" (NOCHANGE) and an error.
grow_partition() {
  local output
  need_command growpart cloud-guest-utils
  output=$(growpart "$1" "$2" 2>&1) || [[ $output == *NOCHANGE* ]] || fail "growpart $1 $2 failed" "$output"
}

# Neither tool changes a filesystem that already fills its device.
grow_filesystem() {
  local output
  case $2 in
    ext[234]) output=$(resize2fs "$1" 2>&1) || fail "resize2fs $1 failed" "$output" ;;
    xfs) output=$(xfs_growfs -d "$3" 2>&1) || fail "xfs_growfs $3 failed" "$output" ;;
    *) log "a $2 filesystem on $1 is left at its size" ;;
  esac
}

# Lists everything that shows the disk is in use: signatures of filesystems, partition tables, LVM, RAID, LUKS; parts of it.
contents() {
  wipefs --noheadings --output TYPE,LABEL "$1" | awk '{ $1 = $1; print }'
  lsblk -nro TYPE,NAME "$1" | tail -n +2
}

refuse_unsuitable() {
  local type root_disks
  type=$(lsblk -dnro TYPE "$1")
  [[ $type == disk ]] || fail "refused: $DOCKER_DISK is a $type, not a whole disk"
  root_disks=$(lsblk -nrspo NAME "$(findmnt -nfro SOURCE /)")
  ! grep -qxF "$1" <<<"$root_disks" || fail "refused: $DOCKER_DISK is the disk of the root filesystem"
}

# The first use of a disk. Docker's data on the root disk would disappear under the mount, and moving it is a person's decision.
claim_disk() {
  local found output
  if [[ -n $(find "$ROOT_DIR$DATA_ROOT" -mindepth 1 -print -quit 2>/dev/null) ]]; then
    fail "refused: $DATA_ROOT already has data on the root disk, which mounting $DOCKER_DISK would hide; move it there first"
  fi
  found=$(contents "$1")
  case $found in
    "xfs $LABEL") ;;
    "") output=$(mkfs.xfs -q -n ftype=1 -L "$LABEL" "$1" 2>&1) || fail "mkfs.xfs $DOCKER_DISK failed" "$output" ;;
    *) fail "refused: $DOCKER_DISK is not blank, it holds: ${found//$'\n'/, }" "if it is not needed: wipefs -a" ;;
  esac
}

# `nofail`: if the data disk is missing, the machine must still boot and answer SSH. dockerd would then start on the bare directory,
# which the drop-in prevents: RequiresMountsFor orders and requires the mount, and the assertion catches an fstab without it. The
# boot continues while Docker waits for a disk that appears late, as on a host where many machines start at once. `prjquota` has to
# be set at mount time, because XFS cannot turn it on by remounting.
declare_mount() {
  local uuid line text found
  uuid=$(blkid -p -o value -s UUID "$1")
  line="UUID=$uuid $DATA_ROOT xfs defaults,prjquota,nofail,x-systemd.device-timeout=5min 0 0"
  text=$(awk -v at="$DATA_ROOT" '$1 ~ /^#/ || $2 != at' "$FSTAB")
  if ! grep -qxF "$line" "$FSTAB"; then
    found=$(awk -v at="$DATA_ROOT" '$1 !~ /^#/ && $2 == at' "$FSTAB")
    put_right "$FSTAB" "$DATA_ROOT" "$found" "$line" write_if_changed "$FSTAB" 0644 <<<"$text"$'\n'"$line"
    RELOAD=yes
  fi
  write_unit "$DROP_IN" <<<"[Unit]"$'\n'"RequiresMountsFor=$DATA_ROOT"$'\n'"AssertPathIsMountPoint=$DATA_ROOT"
  reload_units
}

prepare_disk() {
  local disk mounted
  if checking; then DEVICE_TIMEOUT=0; fi
  wait_for "$DEVICE_TIMEOUT" lsblk -dnro NAME "$DOCKER_DISK" >/dev/null 2>&1 || fail "there is no disk $DOCKER_DISK"
  need_command mkfs.xfs xfsprogs
  disk=$(lsblk -dnrpo NAME "$DOCKER_DISK")
  refuse_unsuitable "$disk"
  mounted=$(findmnt -nfro SOURCE --mountpoint "$DATA_ROOT" || true)
  [[ -z $mounted || $mounted == "$disk" ]] || fail "refused: $DATA_ROOT is mounted from $mounted, not from $DOCKER_DISK"
  [[ -n $mounted ]] || checking || claim_disk "$disk"
  declare_mount "$disk"
  [[ -n $mounted ]] || put_right /proc/mounts "$DATA_ROOT" "" "$disk" mount_disk
  if checking; then
    [[ -z $mounted ]] || has_quota || differs /proc/mounts "$DATA_ROOT" "$(mount_fact OPTIONS)" prjquota "until it is mounted anew"
    return
  fi
  rescan "${disk##*/}"
  grow_filesystem "$disk" xfs "$DATA_ROOT"
  has_quota || fail "$DATA_ROOT is mounted without prjquota; /etc/fstab has it now: stop docker and unmount, or reboot"
}

mount_disk() {
  local output
  mkdir -p "$ROOT_DIR$DATA_ROOT"
  output=$(mount "$DATA_ROOT" 2>&1) || fail "mounting $DATA_ROOT failed" "$output"
}

mount_fact() { findmnt -nfro "$1" -T "$DATA_ROOT"; }
has_quota() { [[ $(mount_fact OPTIONS) =~ (^|,)p(rj)?quota(,|$) ]]; }

report() {
  local filesystem uuid device ftype=1 pquota=false
  filesystem=$(mount_fact FSTYPE)
  uuid=$(mount_fact UUID)
  # sda and sdb may swap at a boot, a UUID does not change.
  device=${uuid:+/dev/disk/by-uuid/$uuid}
  if [[ $filesystem == xfs ]]; then ftype=$(xfs_info "$(mount_fact TARGET)" | sed -n 's/.*ftype=\([01]\).*/\1/p'); fi
  if has_quota; then pquota=true; fi
  [[ $ftype == 1 ]] || fail "refused: $DATA_ROOT is XFS with ftype=0, on which overlay2 does not work"
  json_object "filesystem=$filesystem" "pquota:=$pquota" "ftype:=$ftype" "device=${device:-$(mount_fact SOURCE)}"
}

main() {
  begin_change
  [[ $DATA_ROOT =~ ^/[A-Za-z0-9/._-]+$ ]] || fail "DATA_ROOT is not a plain absolute path: $DATA_ROOT"
  use_distribution_mirror "$DISTRIBUTION_MIRROR"
  if [[ $GROW_ROOT == true ]]; then checking || grow_root; fi
  if [[ -n $DOCKER_DISK ]]; then prepare_disk; fi
  ! checking || return 0
  mkdir -p "$ROOT_DIR$DATA_ROOT"
  report
}

main "$@" </dev/null
