# shellcheck shell=bash
# No process, of a container neither, leaves its memory on the disk.

readonly CORE_PATTERN=/proc/sys/kernel/core_pattern

coredumps_apply() {
  # Ubuntu's crash reporter takes the pattern for itself when it starts.
  stop_service coredumps apport.service
  put_value coredumps "$CORE_PATTERN" '|/bin/false'
  put coredumps /etc/sysctl.d/99-zz-docker-node-coredumps.conf 0644 <<<'kernel.core_pattern = |/bin/false'
  put coredumps /etc/security/limits.d/99-docker-node.conf 0644 <<<'* hard core 0'$'\n''root hard core 0'
  put coredumps /etc/systemd/coredump.conf.d/99-docker-node.conf 0644 <<<'[Coredump]'$'\n''Storage=none'$'\n''ProcessSizeMax=0'
}

# The next crash and the next login find it.
coredumps_reload() { :; }

coredumps_check() {
  local now
  now=$(<"$ROOT_DIR$CORE_PATTERN")
  [[ $now == '|/bin/false' ]] || fail "core dumps go to $now"
}
