# shellcheck shell=bash
# sudo gives each command a terminal of its own, so that it cannot reach the caller's terminal later, and logs what it ran.

# sudo skips a file with a dot in its name.
readonly SUDO_FILE=/etc/sudoers.d/docker-node-hardening

sudo_apply() {
  local reason before=''
  if [[ -e $ROOT_DIR$SUDO_FILE ]]; then before=$(<"$ROOT_DIR$SUDO_FILE"); fi
  put sudo "$SUDO_FILE" 0440 <<<'Defaults use_pty'$'\n''Defaults logfile="/var/log/sudo.log"'
  checking || reason=$(visudo -c 2>&1) || refuse_sudo "$before" "$reason"
  put sudo /etc/logrotate.d/docker-node-sudo 0644 <<<'/var/log/sudo.log {'$'\n''  monthly'$'\n''  rotate 12'$'\n''  compress'$'\n''  missingok'$'\n''  notifempty'$'\n''}'
}

refuse_sudo() { # BEFORE REASON
  if [[ -z $1 ]]; then rm -f "$ROOT_DIR$SUDO_FILE"; else write_if_changed "$ROOT_DIR$SUDO_FILE" 0440 <<<"$1"; fi
  settled sudo
  fail "sudo does not accept its configuration; nothing was changed" "$2"
}

# Nothing to reload: sudo reads its files at each call.
sudo_reload() { :; }

sudo_check() {
  local found
  found=$(sudo -l -U "$NODE_USER")
  [[ $found == *use_pty* && $found == *logfile=*sudo.log* ]] || fail "sudo has other settings for $NODE_USER" "$found"
}
