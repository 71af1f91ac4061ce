#!/usr/bin/env bash
# plan-all.sh DIR [OPTION]...: plans every stack of the repository, each into DIR/<stack>. One that fails does not keep
# the others from being planned.
set -euo pipefail
cd "$(dirname "$0")/../../.."

folder=$1
shift
status=0
while read -r stack; do
  commands/plan/ci/plan.sh "$stack" "$folder/$stack" "$@" </dev/null || status=1
done < <(commands/plan/ci/stacks.sh --lines)
exit "$status"
