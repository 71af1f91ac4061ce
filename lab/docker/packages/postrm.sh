# shellcheck shell=sh
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ] && [ -x /usr/bin/deb-systemd-helper ]; then
  # shellcheck disable=SC2086 # a list of units
  deb-systemd-helper purge $UNITS >/dev/null || true
fi
