# shellcheck shell=bash
# The distribution's security updates are installed automatically. unattended-upgrades installs no package that needs a new one from
# elsewhere, so the release itself is an origin too; of Debian's, point releases come from it. Held packages stay, Docker's among them. The node never
# reboots by itself; a run reports when it should.

readonly UPDATES_FILE=/etc/apt/apt.conf.d/99-docker-node-updates
readonly UPDATE_TIMERS=(apt-daily.timer apt-daily-upgrade.timer)

# apt joins lists from several files, so the origins are cleared first. Otherwise the distribution's file would add to ours. Packages that
# a person excludes stay excluded.
updates_text() {
  printf '#clear Unattended-Upgrade::%s;\n' Allowed-Origins Origins-Pattern
  case $(os_release ID) in
    ubuntu)
      # shellcheck disable=SC2016 # unattended-upgrades puts them in
      printf 'Unattended-Upgrade::Allowed-Origins { %s };\n' \
        '"${distro_id}:${distro_codename}"; "${distro_id}:${distro_codename}-security"; "${distro_id}ESM:${distro_codename}-infra-security"; "${distro_id}ESMApps:${distro_codename}-apps-security";'
      ;;
    *)
      # shellcheck disable=SC2016
      printf 'Unattended-Upgrade::Origins-Pattern { %s };\n' \
        '"origin=Debian,codename=${distro_codename},label=Debian"; "origin=Debian,codename=${distro_codename}-security,label=Debian-Security"; "origin=Debian,codename=${distro_codename},label=Debian-Security";'
      ;;
  esac
  printf '%s\n' 'Unattended-Upgrade::Package-Blacklist { "docker"; "containerd"; "runc$"; };' \
    'Unattended-Upgrade::Automatic-Reboot "false";' 'Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";' \
    'APT::Periodic::Enable "1";' 'APT::Periodic::Update-Package-Lists "1";' 'APT::Periodic::Unattended-Upgrade "1";'
}

updates_apply() {
  local text timer
  text=$(updates_text)
  put updates "$UPDATES_FILE" 0644 <<<"$text"
  for timer in "${UPDATE_TIMERS[@]}"; do run_service updates "$timer"; done
  checking || [[ ! -e $ROOT_DIR/run/reboot-required ]] ||
    log "the node needs a reboot: $(sort -u "$ROOT_DIR/run/reboot-required.pkgs" 2>/dev/null | paste -sd' ' - || true)"
}

# Nothing to reload: each run of apt reads its files.
updates_reload() { :; }

# origins <<<TEXT: where upgrades may come from, by a file of apt or by what `apt-config dump` makes of all files.
origins() { sed -nE '/^Unattended-Upgrade::(Allowed-Origins|Origins-Pattern)(::[^ ]*)? /p' | { grep -oE '"[^"]+"' || true; } | sort -u; }

updates_check() {
  local dump line timer
  dump=$(apt-config dump)
  line=$(comm -13 <(updates_text | origins) <(origins <<<"$dump") | paste -sd' ')
  [[ -z $line ]] || fail "apt takes upgrades from other origins than the distribution's security updates" "$line"
  for line in 'APT::Periodic::Enable "1";' 'APT::Periodic::Update-Package-Lists "1";' 'APT::Periodic::Unattended-Upgrade "1";' \
    'Unattended-Upgrade::Automatic-Reboot "false";'; do
    grep -qxF -- "$line" <<<"$dump" || fail "apt has another setting than $line" "$(grep -F -- "${line%% *} " <<<"$dump")"
  done
  for timer in "${UPDATE_TIMERS[@]}"; do
    systemctl is-active --quiet "$timer" || fail "$timer is not active"
  done
}
