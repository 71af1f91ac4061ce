# shellcheck shell=bash
# Asks dockerd about a daemon.json, for every script that puts one in place. Goes after lib.sh.

# The flags of the unit, but for those that come from variables.
unit_flags() {
  systemctl show --property ExecStart --value docker.service |
    sed -n 's/.*argv\[\]=[^ ;]*\([^;]*\);.*/\1/p' | sed 's/\$[^ ]*//g'
}

# validate_daemon_json FILE prints what dockerd has against it, and fails then. With the unit's own flags: a key that repeats one
# of them keeps dockerd from starting. Before 23.0 there is no --validate, and only the start tells.
validate_daemon_json() {
  local flags
  [[ $(dockerd --help 2>/dev/null) == *--validate* ]] || return 0
  flags=$(unit_flags)
  if [[ $flags == *--config-file* ]]; then
    printf 'the unit has dockerd read another file:%s\n' "$flags"
    return 1
  fi
  # shellcheck disable=SC2086 # words of a command line
  dockerd --validate --config-file "$1" $flags 2>&1
}
