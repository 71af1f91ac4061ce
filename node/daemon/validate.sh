# shellcheck shell=bash
# Asks dockerd whether a daemon.json is valid, for every script that installs one. Goes after lib.sh.

# The flags of the unit, except those that come from variables.
unit_flags() {
  systemctl show --property ExecStart --value docker.service |
    sed -n 's/.*argv\[\]=[^ ;]*\([^;]*\);.*/\1/p' | sed 's/\$[^ ]*//g'
}

# validate_daemon_json FILE: fails and prints dockerd's complaint if the file is not valid. It uses the unit's own flags, because
# dockerd does not start when a key repeats one of them. Before 23.0 there is no --validate, and only a start tells.
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
