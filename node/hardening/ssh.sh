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

# The file: all settings, and once more, for every connection, those that a Match may change. sshd prefers what a Match says to what is
# said outside, and the first Match to a later one; users alone add up (sshd_config(5); openssh, servconf.c). The Match ends with the file.
ssh_file_text() { # TEXT
  printf '%s\nMatch all\n' "$1"
  grep -vE '^(PermitUserEnvironment|StrictModes|LoginGraceTime|Ciphers|KexAlgorithms|MACs|HostKeyAlgorithms|AllowUsers) ' <<<"$1"
}

# Whoever is connected now, and whoever connects next, must not be locked out.
refuse_lock_out() {
  require NODE_USER
  [[ $NODE_USER != root ]] || fail "refused: ssh.user is root, who would be locked out; declare another user, or turn hardening.ssh off"
  [[ -z ${SUDO_USER:-} || " $(ssh_users | xargs) " == *" $SUDO_USER "* ]] ||
    fail "refused: $SUDO_USER, who is connected now, is not among the users whom sshd would let in"
}

ssh_apply() {
  local before='' text file reason
  refuse_lock_out
  if [[ -e $ROOT_DIR$SSH_FILE ]]; then before=$(<"$ROOT_DIR$SSH_FILE"); fi
  text=$(ssh_text)
  file=$(ssh_file_text "$text")
  put ssh "$SSH_FILE" 0644 <<<"$file"
  if checking; then ssh_foreign "$text" | foreign_differ && return; fi
  ! reason=$(ask_sshd -t 2>&1 && ssh_differences "$text") || return 0
  if [[ -z $before ]]; then rm -f "$ROOT_DIR$SSH_FILE"; else write_if_changed "$ROOT_DIR$SSH_FILE" 0644 <<<"$before"; fi
  settled ssh
  fail "sshd does not accept its configuration; nothing was changed" "$reason"
}

# Whom sshd is asked about: user, host and address. The address is one of those for documentation (RFC 5737), which nobody has.
ssh_connections() {
  printf '%s localhost 127.0.0.1\n' "$NODE_USER"
  printf '%s 192.0.2.1 192.0.2.1\n' root docker-node-unknown
  ssh_users | sed 's/$/ 192.0.2.1 192.0.2.1/'
}

# What other files do to the settings, one per line, and in how far sshd would use others for one of these connections; fails if there
# is any. sshd prints every key in lower case.
ssh_differences() { # TEXT
  local found user host address
  found=$(
    ssh_foreign "$1" | awk -F '\t' '{ print $1 ": " $2 ($3 ? " (Match " $3 ")" : "") ": take it away, or declare it in hardening" }'
    while read -r user host address; do
      ssh_unlike "$1" "$user" "$host" "$address" | sed "s/\$/\t, for $user from $address/"
    done < <(ssh_connections) | awk -F '\t' '!seen[$1]++ { print $1 (/ from 127\.0\.0\.1$/ ? "" : $2) }'
  )
  [[ -z $found ]] || { printf '%s\n' "$found" && return 1; }
}

ssh_unlike() { # TEXT USER HOST ADDRESS
  local effective
  effective=$(ask_sshd -T -C "user=$2,host=$3,addr=$4" 2>&1) || { printf '%s\n' "$effective" && return 0; }
  awk '
    { key = tolower($1) }
    NR == FNR { has[tolower($0)] }
    NR == FNR { if (key in now) now[key] = now[key] ", " $0; else now[key] = $0 }
    NR == FNR && key == "allowusers" { name = $2; sub(/@.*/, "", name); users[name] = $2 }
    NR == FNR { next }
    key == "allowusers" { delete users[$2] }
    !(tolower($0) in has) { value = $0; sub(/^[^ ]+ /, "", value); print $1 " is not " value ": " (key in now ? now[key] : "not set") }
    END { for (name in users) print "AllowUsers has " users[name] " too" }' <(printf '%s\n' "$effective") <(printf '%s\n' "$1")
}

ssh_reload() { reload_sshd; }

ssh_check() {
  local text reason
  text=$(ssh_text)
  reason=$(ssh_differences "$text") || fail "sshd has other settings" "$reason"
}
