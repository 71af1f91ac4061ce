# shellcheck shell=bash
# The journal survives a reboot, and its size is limited.

readonly JOURNAL_FILE=/etc/systemd/journald.conf.d/99-docker-node.conf

journal_apply() {
  put journal "$JOURNAL_FILE" 0644 <<'TEXT'
[Journal]
Storage=persistent
Compress=yes
SystemMaxUse=1G
RuntimeMaxUse=128M
TEXT
}

# Services can keep writing, because systemd holds their connections during the restart.
journal_reload() {
  systemctl restart systemd-journald.service
  journalctl --flush
}

journal_check() {
  expect_setting journald.conf Storage persistent
  expect_setting journald.conf SystemMaxUse 1G
  systemctl is-active --quiet systemd-journald.service || fail "systemd-journald is not active"
  compgen -G "$ROOT_DIR/var/log/journal/*/system.journal" >/dev/null || fail "there is no journal in /var/log/journal"
}
