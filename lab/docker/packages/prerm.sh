# shellcheck shell=sh
# An upgrade leaves the units running until the new ones are in place.
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  # shellcheck disable=SC2086 # a list of units
  deb-systemd-invoke stop $UNITS >/dev/null || true
fi
