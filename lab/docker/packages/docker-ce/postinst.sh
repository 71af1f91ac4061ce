# shellcheck shell=sh
if [ "$1" = configure ] && ! getent group docker >/dev/null; then
  groupadd --system docker
fi
