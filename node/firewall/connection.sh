# shellcheck shell=bash
# SSH_CONNECTION: addresses and ports of the connection that runs this, as sshd(8) has them. sudo removes the variable, but has it in
# its own environment.
connection() { { tr '\0' '\n' <"/proc/$PPID/environ" | sed -n 's/^SSH_CONNECTION=//p'; } 2>/dev/null || true; }
SSH_CONNECTION="${SSH_CONNECTION:-$(connection)}"
