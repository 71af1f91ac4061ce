# shellcheck shell=bash
# No process writes its memory to the disk, not even one in a container.

readonly CORE_PATTERN=/proc/sys/kernel/core_pattern

coredumps_apply() {
  local before
  before=$(<"$ROOT_DIR$CORE_PATTERN")
  # Ubuntu's crash reporter overwrites the pattern when it starts, and when it stops.
  [[ $before == '|/bin/false' ]] || keep coredumps value "$CORE_PATTERN" "$before"
  stop_service coredumps apport.service
  put_value coredumps "$CORE_PATTERN" '|/bin/false'
  put coredumps /etc/sysctl.d/99-zz-docker-node-coredumps.conf 0644 <<<'kernel.core_pattern = |/bin/false'
  put coredumps /etc/security/limits.d/99-docker-node.conf 0644 <<<'* hard core 0'$'\n''root hard core 0'
  put coredumps /etc/systemd/coredump.conf.d/99-docker-node.conf 0644 <<<'[Coredump]'$'\n''Storage=none'$'\n''ProcessSizeMax=0'
}

# Nothing to reload: the next crash and the next login use it.
coredumps_reload() { :; }

coredumps_check() {
  local now
  now=$(<"$ROOT_DIR$CORE_PATTERN")
  [[ $now == '|/bin/false' ]] || fail "core dumps go to $now"
}
