#!/usr/bin/env bash
# up.sh STACK: brings a stack to what main declares. Whoever approved has seen the plan of the job before.
set -euo pipefail
cd "$(dirname "$0")/../../.."

commands/plan/ci/with-ssh-key.sh pulumi up --yes --non-interactive --policy-pack policies --stack "$1"
