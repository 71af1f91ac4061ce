#!/usr/bin/env bash
# stacks.sh [--lines]: the stacks of the repository, as JSON or a line each: every Pulumi.<stack>.yaml but the lab's.
set -euo pipefail
cd "$(dirname "$0")/../../.."

stacks=()
for file in Pulumi.*.yaml; do
  stack=${file#Pulumi.}
  stack=${stack%.yaml}
  # The name goes into JSON, a matrix and command lines.
  [[ $stack =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] || {
    echo "not the name of a stack: $stack" >&2
    exit 1
  }
  [[ $stack == lab ]] || stacks+=("$stack")
done

if [[ ${1:-} == --lines ]]; then
  printf '%s\n' "${stacks[@]}"
else
  printf '[%s]\n' "$(printf '"%s",' "${stacks[@]}" | sed 's/,$//')"
fi
