# shellcheck shell=bash
# What other files of sshd say that the unit ssh cannot put right.

# ssh_lines FILE [CRITERIA]: what sshd reads, in its order, without our file, for which there is the word `ours`. Separated by tabs:
# FILE:LINE, key in lower case, values, criteria of the Match it is in.
ssh_lines() {
  local line key value pattern path patterns number=0 match=${2:-}
  [[ $1 != "$ROOT_DIR$SSH_FILE" ]] || { echo ours && return 0; }
  while read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    [[ $line =~ ^([A-Za-z0-9]+)[[:space:]=]+([^#]*[^#[:space:]]) ]] || continue
    key=${BASH_REMATCH[1],,} value=${BASH_REMATCH[2]//\"/}
    case $key in
      match) match=$value ;;
      include)
        read -ra patterns <<<"$value"
        for pattern in "${patterns[@]}"; do
          while read -r path; do ssh_lines "$path" "$match"; done < <(included "$pattern")
        done
        ;;
      *) printf '%s:%s\t%s\t%s\t%s\n' "${1#"$ROOT_DIR"}" "$number" "$key" "$value" "$match" ;;
    esac
  done <"$1"
}

# Also our file, if it is not there yet.
included() { # PATTERN
  local path=$1
  [[ $path == /* ]] || path=/etc/ssh/$path
  {
    compgen -G "$ROOT_DIR$path" || true
    # shellcheck disable=SC2053 # a pattern
    [[ $SSH_FILE != $path ]] || printf '%s\n' "$ROOT_DIR$SSH_FILE"
  } | sort -u
}

# ssh_foreign TEXT: lines of other files that ours cannot put right: users who are not declared, since users add up, and a Match before
# ours. Separated by tabs: FILE:LINE, what it says, its Match.
ssh_foreign() {
  ssh_lines "$ROOT_DIR/etc/ssh/sshd_config" | awk -F '\t' '
    NR == FNR { at = index($0, " "); key = tolower(substr($0, 1, at - 1)); value = substr($0, at + 1) }
    NR == FNR && key == "allowusers" { users[value] }
    NR == FNR { declared[key] = tolower(value); next }
    $1 == "ours" { ours = 1; next }
    $2 == "allowusers" {
      more = ""
      count = split($3, names, /[ \t]+/)
      for (i = 1; i <= count; i++) { name = names[i]; sub(/@.*/, "", name); if (!(name in users)) more = more " " names[i] }
      if (more) print $1 "\tAllowUsers" more "\t" $4
      next
    }
    !ours && $4 && $2 in declared && tolower($3) != declared[$2] { print $1 "\t" $2 " " $3 "\t" $4 }' <(printf '%s\n' "$1") -
}

# foreign_differ <<<LINES: prints them as differences.
foreign_differ() {
  local where said match
  while IFS=$'\t' read -r where said match; do
    differs "${where%:*}" "line ${where##*:}" "$said${match:+ (Match $match)}" ''
  done
}
