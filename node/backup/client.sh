# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# proxmox-backup-client, and how often it is tried. Its token and key are files; nothing secret is on a command line.

# Attempts for each item, and the pause before the second, which doubles with every further one.
ATTEMPTS="${ATTEMPTS:-5}" RETRY_PAUSE="${RETRY_PAUSE:-30}"
export PBS_PASSWORD_FILE="$SECRETS_DIR/token"
KEYFILE="$SECRETS_DIR/key.json"

# client ARGUMENT...: its last line becomes the item's error, and RETRY says whether to try again.
client() {
  local output="$SPOOL/client.log"
  mkdir -p "$SPOOL"
  if guarded proxmox-backup-client "$@" >"$output" 2>&1; then return 0; fi
  ERROR=$(complaint "$output")
  if is_final "$ERROR"; then RETRY=no; else RETRY=yes; fi
  return 1
}

# complaint FILE: the last line that says something, without the token, should the client ever repeat it.
complaint() {
  local line token
  line=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1 || true)
  token=$(head -n 1 "$PBS_PASSWORD_FILE" 2>/dev/null || true)
  [[ -z $token ]] || line=${line//"$token"/[secret]}
  printf '%s' "${line:-proxmox-backup-client ended without a word}"
}

# reach KIND: server, certificate, token and namespace are asked for before anything is stopped for a backup.
reach() { client snapshot list --ns "$NODE_NAME/$1" --output-format json; }

# upload KIND ID ARCHIVE...: sets SNAPSHOT.
upload() {
  local kind=$1 id=$2 time
  shift 2
  time=$(date +%s)
  SNAPSHOT="host/$id/$(date -u -d "@$time" +%Y-%m-%dT%H:%M:%SZ)"
  client backup "$@" --ns "$NODE_NAME/$kind" --backup-type host --backup-id "$id" --backup-time "$time" \
    --keyfile "$KEYFILE" --crypt-mode encrypt
}

# What trying again does not mend: rights, certificate, namespace, key.
is_final() {
  local rights='authentication failed|permission (check )?failed|permission denied|owner check failed|token'
  grep -qiE "$rights|fingerprint|certificate|namespace|keyfile|encryption key" <<<"$1"
}

nap() { guarded sleep "$1"; }

# tenacious KIND COMMAND...: again while what failed is the network or the server, which may pass; what fails on the node is no
# reason to stop containers once more. A server that stays away gets one attempt for each further item.
tenacious() {
  local kind=$1 attempt pause=$RETRY_PAUSE reached
  shift
  for ((attempt = 1; ; attempt++)); do
    ERROR='' RETRY=no reached=no
    if reach "$kind"; then
      reached=yes
      if "$@"; then return 0; fi
    fi
    if [[ $RETRY == no ]] || ((attempt >= ATTEMPTS)); then break; fi
    log "$ERROR; again in $pause s"
    nap "$pause"
    pause=$((pause * 2))
  done
  [[ $reached == yes ]] || ATTEMPTS=1
  return 1
}
