#!/usr/bin/env bash
# plan.sh STACK DIR [OPTION]...: plans one stack into DIR/plan.md and DIR/plan.json, puts it to the policies, and shows it in the job's
# summary.
set -euo pipefail
cd "$(dirname "$0")/../../.."

stack=$1 folder=$2
shift 2
rm -rf "$folder"
commands/plan/ci/with-ssh-key.sh npm run --silent plan -- --stack "$stack" --policy-pack policies --format markdown --write "$folder" "$@" |
  tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
