# shellcheck shell=bash
# Runs docker-bench-security, the benchmark's own script, on this node, and removes it afterwards.
# ACTION  prepare: makes the folder that the script is copied to; run: runs it there
# FOLDER  the folder, for run
# FILE    the script's name in it, for run
# Result: the folder (prepare), the script's results as JSON (run)
SCRIPT=benchmark
# shellcheck source-path=SCRIPTDIR source=../lib.sh
declare -F fail >/dev/null || . "${BASH_SOURCE[0]%/*}/../lib.sh"

readonly PREFIX=/var/tmp/docker-node-benchmark.

# The script needs its own folder as working directory, and writes its log there.
run_script() {
  local output
  cd "$ROOT_DIR$FOLDER"
  output=$(bash "./$FILE" -b -l "$PWD/results" 2>&1) || fail "$FILE ended with status $?" "$(tail -n 20 <<<"$output")"
  [[ -s results.json ]] || fail "$FILE wrote no results" "$(tail -n 20 <<<"$output")"
  cat results.json
}

main() {
  require ACTION
  if [[ $ACTION == prepare ]]; then
    mktemp -d "$ROOT_DIR${PREFIX}XXXXXX"
    return
  fi
  require FOLDER FILE
  [[ $FOLDER == "$PREFIX"?* && $FOLDER != *..* ]] || fail "refused: FOLDER is not one that this script has made"
  trap 'rm -rf -- "$ROOT_DIR$FOLDER"' EXIT
  limit_run
  run_script
}

main "$@" </dev/null
