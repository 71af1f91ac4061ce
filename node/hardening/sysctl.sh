# shellcheck shell=bash
# Kernel settings that take effect at once and at every boot. Forwarding is left to Docker: if it is on before Docker starts, Docker
# does not drop forwarded traffic (moby, libnetwork/drivers/bridge/setup_ip_forwarding.go), so nothing here turns it on or off.

# The name sorts after Ubuntu's 99-sysctl.conf.
readonly SYSCTL_FILE=/etc/sysctl.d/99-zz-docker-node-hardening.conf
# Path below /proc/sys, value, and other values that are as strict. If one of those is set, it stays.
readonly SYSCTLS='
kernel/kptr_restrict 2
kernel/dmesg_restrict 1
kernel/yama/ptrace_scope 1 2 3
kernel/randomize_va_space 2
kernel/unprivileged_bpf_disabled 2 1
net/core/bpf_jit_harden 2
fs/protected_hardlinks 1
fs/protected_symlinks 1
fs/protected_fifos 2
fs/protected_regular 2
fs/suid_dumpable 0
net/ipv4/conf/all/rp_filter 2
net/ipv4/conf/default/rp_filter 2
net/ipv4/conf/*/accept_redirects 0
net/ipv4/conf/*/secure_redirects 0
net/ipv4/conf/*/send_redirects 0
net/ipv4/conf/*/accept_source_route 0
net/ipv4/conf/*/log_martians 1
net/ipv4/icmp_echo_ignore_broadcasts 1
net/ipv4/icmp_ignore_bogus_error_responses 1
net/ipv4/tcp_syncookies 1
net/ipv6/conf/*/accept_redirects 0
net/ipv6/conf/*/accept_source_route 0
'

# each_sysctl COMMAND: calls it with path, value and the other values, for every setting that this kernel has.
each_sysctl() {
  local key value others path
  while read -r key value others; do
    [[ -n $key ]] || continue
    for path in $(compgen -G "$ROOT_DIR/proc/sys/$key"); do "$1" "${path#"$ROOT_DIR"}" "$value" "$others"; done
  done <<<"$SYSCTLS"
}

sysctl_one() {
  local now
  now=$(<"$ROOT_DIR$1")
  [[ " $3 " == *" $now "* ]] || put_value sysctl "$1" "$2"
}

sysctl_line() {
  local now
  now=$(<"$ROOT_DIR$1")
  [[ " $3 " == *" $now "* ]] || printf '%s = %s\n' "${1#/proc/sys/}" "$2"
}

# `all` and `default` are written by name, because systemd's own file excludes `all` from every pattern. The pattern is for
# interfaces that come later.
sysctl_text() {
  local start name end value
  each_sysctl sysctl_line | grep -v '^net/ipv[46]/conf/' || true
  sed -nE 's|^(net/ipv[46]/conf/)([^/]+)(/[^ ]+) ([0-9]+)$|\1 \2 \3 \4|p' <<<"$SYSCTLS" | while read -r start name end value; do
    if [[ $name == '*' ]]; then printf "$start%s$end = $value\n" all default; fi
    printf '%s%s%s = %s\n' "$start" "$name" "$end" "$value"
  done
}

sysctl_apply() {
  local text
  each_sysctl sysctl_one
  text=$(sysctl_text)
  put sysctl "$SYSCTL_FILE" 0644 <<<"$text"
}

# Nothing to reload: the values have been written, or given back, directly. An interface that appeared in between keeps its own.
sysctl_reload() { :; }

sysctl_differs() {
  local now
  now=$(<"$ROOT_DIR$1")
  [[ " $2 $3 " == *" $now "* ]] || printf '%s is %s, not %s\n' "$1" "$now" "$2"
}

sysctl_check() {
  local reason
  reason=$(each_sysctl sysctl_differs)
  [[ -z $reason ]] || fail "the kernel has other settings" "$reason"
}
