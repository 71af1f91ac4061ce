# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# proxmox-backup-client, and how often it is tried. Its token and key are files; nothing secret is on a command line.

# Attempts for each item, and the pause before the second, which doubles with every further one.
ATTEMPTS="${ATTEMPTS:-5}" RETRY_PAUSE="${RETRY_PAUSE:-30}"
export PBS_PASSWORD_FILE="$SECRETS_DIR/token"
KEYFILE="$SECRETS_DIR/key.json"
# Otherwise a certificate that a public authority has signed passes whatever its fingerprint is (pbs-client, http_client.rs:
# what OpenSSL finds valid is not looked at). Without authorities only the fingerprint counts.
export SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/dev/null

# client ARGUMENT...: its last line becomes the item's error, and RETRY says whether to try again.
client() {
  local output="$SPOOL/client.log"
  mkdir -p "$SPOOL"
  if guarded proxmox-backup-client "$@" >"$output" 2>&1; then return 0; fi
  ERROR=$(complaint "$output")
  if is_passing "$ERROR"; then RETRY=yes; else RETRY=no; fi
  return 1
}

# complaint FILE: the last line that says something, without the token, should the client ever repeat it. Of another certificate
# the last line says only that it cannot be verified; the lines before it name the fingerprint.
complaint() {
  local line token
  line=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1 || true)
  token=$(head -n 1 "$PBS_PASSWORD_FILE" 2>/dev/null || true)
  [[ -z $token ]] || line=${line//"$token"/[secret]}
  if [[ ${line,,} != *fingerprint* ]] && grep -qi 'certificate fingerprint' "$1"; then
    line+=" (the server's certificate does not have the fingerprint declared)"
  fi
  printf '%s' "${line:-proxmox-backup-client ended without a word}"
}

# reach KIND: server, certificate, token, namespace and key are asked for before anything is stopped for a backup.
reach() {
  jq -e '.kdf == null' "$KEYFILE" >/dev/null 2>&1 || error "the key needs a passphrase, or is no key (made with --kdf none?)" ||
    return 1
  if client snapshot list --ns "$NODE_NAME/$1" --output-format json; then return 0; fi
  # Its listing of a directory that is not there (pbs-datastore, hierarchy.rs).
  [[ $ERROR != *ENOENT* ]] || ERROR="there is no namespace $NODE_NAME/$1 (npx docker-node backups --server): $ERROR"
  return 1
}

# upload KIND ID ARCHIVE...: sets SNAPSHOT.
upload() {
  local kind=$1 id=$2 time
  shift 2
  time=$(date +%s)
  SNAPSHOT="host/$id/$(date -u -d "@$time" +%Y-%m-%dT%H:%M:%SZ)"
  client backup "$@" --ns "$NODE_NAME/$kind" --backup-type host --backup-id "$id" --backup-time "$time" \
    --keyfile "$KEYFILE" --crypt-mode encrypt
}

# What may be otherwise in a minute: the network, a server that starts, a group that is locked. Whatever else the client complains
# of stays as it is until somebody mends it.
is_passing() {
  local network='(tcp connect|dns) error|connection (reset|refused|closed|error|lost|failed)|broken pipe|timed out|deadline has elapsed'
  local server='already running|locked by another|task aborted|bad gateway|service unavailable|gateway timeout'
  grep -qiE "$network|$server" <<<"$1"
}

nap() { guarded sleep "$1"; }

# tenacious KIND COMMAND...: again while what failed may pass. A server that stays away gets one attempt for each further item.
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
