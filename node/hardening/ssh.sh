# shellcheck shell=bash
# sshd: keys of named users only, no forwarding, modern algorithms. access.sh sets MaxStartups and MaxSessions, which have to admit
# the provider's connections. sshd is reloaded and never restarted, so that connections, this one included, continue.

NODE_USER="${NODE_USER:-}" SSH_USERS="${SSH_USERS:-}" FORWARDING="${FORWARDING:-false}"
# sshd uses the first value it reads, so this name sorts before cloud-init's 50-cloud-init.conf.
readonly SSH_FILE=/etc/ssh/sshd_config.d/05-docker-node-hardening.conf
readonly CIPHERS=(chacha20-poly1305@openssh.com aes256-gcm@openssh.com aes128-gcm@openssh.com aes256-ctr aes192-ctr aes128-ctr)
readonly EXCHANGES=(
  mlkem768x25519-sha256 sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com curve25519-sha256 curve25519-sha256@libssh.org
  diffie-hellman-group16-sha512 diffie-hellman-group18-sha512
)
readonly MACS=(hmac-sha2-512-etm@openssh.com hmac-sha2-256-etm@openssh.com umac-128-etm@openssh.com)
readonly SIGNATURES=(
  ssh-ed25519 ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com sk-ssh-ed25519-cert-v01@openssh.com
  ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 sk-ecdsa-sha2-nistp256@openssh.com rsa-sha2-512 rsa-sha2-256
)

ssh_users() { tr -s ' ' '\n' <<<"$NODE_USER $SSH_USERS" | awk 'NF && !seen[$0]++'; }

# offered QUERY NAME...: the names that this version of OpenSSH knows. An unknown name would keep sshd from starting.
offered() {
  local known
  known=$(ssh -Q "$1")
  shift
  printf '%s\n' "$@" | grep -xF -e "$known" | paste -sd, - || fail "OpenSSH knows none of: $*"
}

ssh_text() {
  local forward=no ciphers exchanges macs host_keys keys
  ciphers=$(offered cipher "${CIPHERS[@]}")
  exchanges=$(offered kex "${EXCHANGES[@]}")
  macs=$(offered mac "${MACS[@]}")
  host_keys=$(offered HostKeyAlgorithms "${SIGNATURES[@]}")
  keys=$(offered PubkeyAcceptedAlgorithms "${SIGNATURES[@]}")
  if [[ $FORWARDING == true ]]; then forward=yes; fi
  printf '%s\n' 'PermitRootLogin no' 'PubkeyAuthentication yes' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' \
    'PermitEmptyPasswords no' 'HostbasedAuthentication no' 'IgnoreRhosts yes' 'PermitUserEnvironment no' 'StrictModes yes' \
    'X11Forwarding no' 'PermitTunnel no' 'GatewayPorts no' "AllowTcpForwarding $forward" "AllowAgentForwarding $forward" \
    "AllowStreamLocalForwarding $forward" 'MaxAuthTries 4' 'LoginGraceTime 60' 'ClientAliveInterval 60' 'ClientAliveCountMax 3' \
    'LogLevel VERBOSE'
  printf '%s\n' "Ciphers $ciphers" "KexAlgorithms $exchanges" "MACs $macs" "HostKeyAlgorithms $host_keys" \
    "PubkeyAcceptedAlgorithms $keys"
  ssh_users | sed 's/^/AllowUsers /'
}

# Whoever is connected now, and whoever connects next, must not be locked out.
refuse_lock_out() {
  require NODE_USER
  [[ $NODE_USER != root ]] || fail "refused: ssh.user is root, who would be locked out; declare another user, or turn hardening.ssh off"
  [[ -z ${SUDO_USER:-} || " $(ssh_users | xargs) " == *" $SUDO_USER "* ]] ||
    fail "refused: $SUDO_USER, who is connected now, is not among the users whom sshd would let in"
}

ssh_apply() {
  local before='' text reason
  refuse_lock_out
  if [[ -e $ROOT_DIR$SSH_FILE ]]; then before=$(<"$ROOT_DIR$SSH_FILE"); fi
  text=$(ssh_text)
  put ssh "$SSH_FILE" 0644 <<<"$text"
  ! checking || return 0
  ! reason=$(ask_sshd -t 2>&1 && ssh_differences "$text") || return 0
  if [[ -z $before ]]; then rm -f "$ROOT_DIR$SSH_FILE"; else write_if_changed "$ROOT_DIR$SSH_FILE" 0644 <<<"$before"; fi
  settled ssh
  fail "sshd does not accept its configuration; nothing was changed" "$reason"
}

# The settings that sshd would use for a connection of the user, one per line; sshd prints every key in lower case.
ssh_differences() { # TEXT
  local effective key value status=0
  effective=$(ask_sshd -T -C "user=$NODE_USER,host=localhost,addr=127.0.0.1" 2>&1) || { printf '%s\n' "$effective" && return 1; }
  while read -r key value; do
    grep -qixF -- "$key $value" <<<"$effective" && continue
    printf '%s is not %s: %s\n' "$key" "$value" "$(grep -i -- "^$key " <<<"$effective" || echo 'not set')"
    status=1
  done <<<"$1"
  return "$status"
}

ssh_reload() { reload_sshd; }

ssh_check() {
  local text reason
  text=$(ssh_text)
  reason=$(ssh_differences "$text") || fail "sshd has other settings" "$reason"
}
