# shellcheck shell=sh
# Enables the units, and starts them or, at an upgrade, restarts them, as debhelper 12 does. `UNITS` are the package's.
if [ "$1" = configure ]; then
  for unit in $UNITS; do
    deb-systemd-helper unmask "$unit" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "$unit"; then
      deb-systemd-helper enable "$unit" >/dev/null || true
    else
      deb-systemd-helper update-state "$unit" >/dev/null || true
    fi
  done
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$2" ]; then action=restart; else action=start; fi
    # shellcheck disable=SC2086 # a list of units
    deb-systemd-invoke "$action" $UNITS >/dev/null || true
  fi
fi
