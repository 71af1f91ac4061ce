# shellcheck shell=bash
# auditd watches Docker's files (CIS Docker 1.1.3 to 1.1.18), where this distribution has them, and the files that say who gets in.
# A watch on a path that does not exist passes the benchmark but audits nothing. So a path is watched only if it exists or its
# folder does.

DATA_ROOT="${DATA_ROOT:-/var/lib/docker}"
readonly AUDIT_FILE=/etc/audit/rules.d/50-docker-node.rules
readonly AUDIT_TMPFILES=/etc/tmpfiles.d/docker-node-audit.conf
readonly AUDIT_DROP_IN=/etc/systemd/system/docker.service.d/40-docker-node-audit.conf

# Debian has dockerd in sbin, Docker's own packages have it in bin.
audit_programs() {
  local name folder
  for name in dockerd docker docker-proxy docker-init containerd containerd-shim containerd-shim-runc-v1 containerd-shim-runc-v2 ctr runc; do
    for folder in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /usr/libexec/docker; do
      [[ ! -f $ROOT_DIR$folder/$name ]] || printf '%s\n' "$folder/$name"
    done
  done
}

audit_paths() {
  audit_programs
  systemctl show --property=FragmentPath --value docker.service docker.socket containerd.service | sed '/^$/d'
  printf '%s\n' /run/docker.sock /run/containerd /run/containerd/containerd.sock "$DATA_ROOT" /etc/docker /etc/docker/daemon.json \
    /etc/default/docker /etc/containerd /etc/containerd/config.toml /etc/sysconfig/docker /var/lib/docker-node \
    /etc/systemd/system/docker.service.d
}

# What containers write is their own, not Docker's, and would flood the log.
audit_excluded() {
  local path
  for path in "$ROOT_DIR$DATA_ROOT"/{,*.*/}{overlay2,volumes,fuse-overlayfs,btrfs,zfs}; do
    [[ ! -d $path ]] || printf '%s\n' "${path#"$ROOT_DIR"}"
  done
}

# The kernel does not follow a link at the end of a path, and refuses a duplicate rule.
audit_resolved() {
  local path
  while read -r path; do readlink -m "$ROOT_DIR$path"; done | awk '!seen[$0]++'
}

audit_watch() { # KEY <<<PATHS
  local path
  audit_resolved | while read -r path; do
    path=${path#"$ROOT_DIR"}
    if [[ -d $ROOT_DIR$path ]]; then
      printf -- '-a always,exit -F dir=%s -F perm=wa -F key=%s\n' "$path" "$1"
    elif [[ -d $ROOT_DIR${path%/*} ]]; then
      printf -- '-a always,exit -F path=%s -F perm=wa -F key=%s\n' "$path" "$1"
    fi
  done
}

audit_text() {
  # Not -c, which makes auditctl fail at the end: then a folder that was not mounted would leave the node without auditd
  # (auditctl(8)).
  printf -- '-i\n'
  audit_excluded | sed 's/^/-a never,exit -F dir=/'
  audit_paths | audit_watch docker
  printf '%s\n' /etc/passwd /etc/group /etc/shadow /etc/gshadow | audit_watch identity
  printf '%s\n' /etc/sudoers /etc/sudoers.d /etc/ssh/sshd_config /etc/ssh/sshd_config.d | audit_watch access
}

# At a boot, the rules are read before containerd makes its folder, and maybe before a data disk is mounted. auditd does not wait for
# the disk: sysinit.target waits for auditd, and sshd for that. So the rules are read again before dockerd, which waits for the disk.
audit_boot() {
  local unit
  put audit "$AUDIT_TMPFILES" 0644 <<<'d /run/containerd 0711 root root -'
  put audit "$AUDIT_DROP_IN" 0644 <<<"[Service]"$'\n'"ExecStartPre=-/usr/sbin/augenrules --load"
  for unit in auditd.service audit-rules.service; do
    withdraw audit "/etc/systemd/system/$unit.d/10-docker-node.conf"
  done
}

audit_apply() {
  local text
  audit_boot
  text=$(audit_text)
  put audit "$AUDIT_FILE" 0640 <<<"$text"
  run_service audit auditd.service
}

audit_reload() {
  local output state
  systemctl daemon-reload
  command -v augenrules >/dev/null || return 0
  state=$(auditctl -s)
  [[ $state != *'enabled 2'* ]] || fail "the audit rules are locked until the next boot (-e 2)"
  output=$(augenrules --load 2>&1) || log "augenrules: $(grep -i error <<<"$output" | paste -sd';' -)"
}

audit_missing() {
  local rules path
  rules=$(auditctl -l | recorded_paths)
  sed -nE 's/^-a always,exit -F (dir|path)=([^ ]+) .*/\2/p' "$ROOT_DIR$AUDIT_FILE" | while read -r path; do
    grep -qxF -- "$path" <<<"$rules" || printf 'no rule for %s\n' "$path"
  done
}

audit_check() {
  local state reason
  state=$(auditctl -s)
  grep -qE '^enabled [12]$' <<<"$state" || fail "the kernel does not audit" "$state"
  grep -qE '^pid [1-9]' <<<"$state" || fail "auditd does not take the kernel's events" "$state"
  reason=$(audit_missing)
  [[ -z $reason ]] || fail "audit rules are not loaded" "$reason"
}
