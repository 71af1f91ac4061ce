# shellcheck shell=bash
# AppArmor confines containers. This unit changes nothing: Docker loads its profile when it starts.

apparmor_apply() { :; }
apparmor_reload() { :; }

apparmor_check() {
  local profiles
  [[ $(cat "$ROOT_DIR/sys/module/apparmor/parameters/enabled" 2>/dev/null || true) == Y ]] ||
    fail "the kernel has no AppArmor (apparmor=0 at its boot?), so it does not confine containers; allow that by hardening.apparmor: false with the waiver hardening-apparmor-off"
  profiles=$(<"$ROOT_DIR/sys/kernel/security/apparmor/profiles")
  grep -qxF 'docker-default (enforce)' <<<"$profiles" || fail "AppArmor does not enforce docker-default" "$(grep docker <<<"$profiles" || true)"
}
