# shellcheck shell=bash
# shellcheck disable=SC2034 # for other parts
# Runs proxmox-backup-client and decides how often to try. Its token and key are files; no secret is on a command line.

# How often each item is tried, and the pause before the second attempt. The pause doubles each time.
ATTEMPTS="${ATTEMPTS:-5}" RETRY_PAUSE="${RETRY_PAUSE:-30}"
export PBS_PASSWORD_FILE="$SECRETS_DIR/token"
KEYFILE="$SECRETS_DIR/key.json"
# Otherwise a certificate signed by a public authority would be accepted whatever its fingerprint (pbs-client, http_client.rs: the
# fingerprint is not compared if OpenSSL finds the certificate valid). Without any authority only the fingerprint counts.
export SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/dev/null

# client ARGUMENT...: when it fails, its last line becomes the item's error, and RETRY says whether to try again.
client() {
  local output="$SPOOL/client.log"
  mkdir -p "$SPOOL"
  if guarded proxmox-backup-client "$@" >"$output" 2>&1; then return 0; fi
  ERROR=$(complaint "$output")
  if is_passing "$ERROR"; then RETRY=yes; else RETRY=no; fi
  return 1
}

# complaint FILE: the last line that is not blank, without the token, in case the client prints it. For another certificate, the
# last line only says that verification failed; the lines before it name the fingerprint.
complaint() {
  local line token
  line=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1 || true)
  token=$(head -n 1 "$PBS_PASSWORD_FILE" 2>/dev/null || true)
  [[ -z $token ]] || line=${line//"$token"/[secret]}
  if [[ ${line,,} != *fingerprint* ]] && grep -qi 'certificate fingerprint' "$1"; then
    line+=" (the server's certificate does not have the fingerprint declared)"
  fi
  printf '%s' "${line:-proxmox-backup-client failed without a message}"
}

# reach KIND: checks server, certificate, token, namespace and key before any container is stopped for a backup.
reach() {
  jq -e '.kdf == null' "$KEYFILE" >/dev/null 2>&1 || error "the key needs a passphrase, or is no key (made with --kdf none?)" ||
    return 1
  if client snapshot list --ns "$NODE_NAME/$1" --output-format json; then return 0; fi
  # How the server reports a directory that is not there (pbs-datastore, hierarchy.rs).
  [[ $ERROR != *ENOENT* ]] || ERROR="there is no namespace $NODE_NAME/$1 (npx docker-node backups --server): $ERROR"
  return 1
}

# upload KIND ID ARCHIVE...: sets SNAPSHOT. Fails if the client left out files that it could not read; INCOMPLETE is then the snapshot.
upload() {
  local kind=$1 id=$2 time
  shift 2
  time=$(date +%s)
  SNAPSHOT="host/$id/$(date -u -d "@$time" +%Y-%m-%dT%H:%M:%SZ)"
  client backup "$@" --ns "$NODE_NAME/$kind" --backup-type host --backup-id "$id" --backup-time "$time" \
    --keyfile "$KEYFILE" --crypt-mode encrypt && read_whole
}

# read_whole: looks through what the client said. It leaves out a file that it may not open, warns and ends well (pbs-client,
# pxar/create.rs): root on NFS with root_squash, or on FUSE without allow_other. A file that vanished is another matter: its
# application removed it. Another upload before the schedule would lack the same files.
read_whole() {
  local lines count
  lines=$(grep -aE 'failed to open file: .*: access denied|stale file handle' "$SPOOL/client.log" || true)
  if [[ -z $lines ]]; then return 0; fi
  count=$(wc -l <<<"$lines")
  INCOMPLETE=$SNAPSHOT WAITS=later
  lines=$(sed -E 's/^.*(failed to open file|reading): //; s/: access denied.*$//; 3q' <<<"$lines")
  error "$count files could not be read and are not in the backup: ${lines//$'\n'/, }"
}

# How the server says that somebody else has the group or a snapshot: release 3, then release 4, which names what it was at and, as
# the cause, the lock (pbs-datastore, datastore.rs, backup_info.rs).
LOCKED='already running|locked by another|while (creating locked|locking) |unable to acquire [^"]*lock'

# Errors that may be gone in a minute: network problems, a server that is starting, a locked group. Any other complaint stays until
# somebody fixes it.
is_passing() {
  local network='(tcp connect|dns) error|connection (reset|refused|closed|error|lost|failed)|broken pipe|timed out|deadline has elapsed'
  local server='task aborted|bad gateway|service unavailable|gateway timeout'
  grep -qiE "$network|$server|$LOCKED" <<<"$1"
}

nap() { guarded sleep "$1"; }

# tenacious KIND COMMAND...: tries again while the error may pass. Once the server has not answered, each further item gets one
# attempt.
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
