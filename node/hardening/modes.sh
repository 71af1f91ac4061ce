# shellcheck shell=bash
# Limits who may read and write the files that say who gets in, what runs by itself, and what Docker is. A stricter mode stays.

readonly MODES='
/etc/passwd 0644
/etc/passwd- 0644
/etc/group 0644
/etc/group- 0644
/etc/shadow 0640
/etc/shadow- 0640
/etc/gshadow 0640
/etc/gshadow- 0640
/etc/ssh/sshd_config 0600
/etc/crontab 0600
/etc/cron.hourly 0700
/etc/cron.daily 0700
/etc/cron.weekly 0700
/etc/cron.monthly 0700
/etc/cron.d 0700
/etc/docker 0755
/etc/docker/daemon.json 0644
/run/docker.sock 0660
'

# each_loose COMMAND: calls it with path, mode, and the most open mode allowed, for each file that is too open.
each_loose() {
  local path most now
  while read -r path most; do
    [[ -n $path && -e $ROOT_DIR$path ]] || continue
    now=0$(stat -c %a "$ROOT_DIR$path")
    (((now & ~most) == 0)) || "$1" "$path" "$now" "$most"
  done <<<"$MODES"
}

modes_one() {
  local most
  most=$(printf %04o $(($2 & $3)))
  keep modes mode "$1" "$2"
  put_right "$1" mode "$2" "$most" chmod "$most" "$ROOT_DIR$1"
}
modes_told() { printf '%s has the mode %s, above %s\n' "$@"; }

modes_apply() { each_loose modes_one; }
modes_reload() { :; }

modes_check() {
  local reason
  reason=$(each_loose modes_told)
  [[ -z $reason ]] || fail "files are more open than they should be" "$reason"
}
