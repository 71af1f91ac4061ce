# shellcheck shell=bash
# Reads what `auditctl -l` prints, for audit.sh and benchmark/facts.sh.

# Prints the paths of the loaded rules that record whoever writes there or changes what a file is. One that says never, leaves out one
# of the two, or is about some calls or users alone does not count; one without permissions is about all calls (auditctl(8)). The
# kernel reports a rule as a watch or as it was written, depending on the version of auditctl.
recorded_paths() { # <<<RULES
  sed -nE -e 's/ (-k |-F key=)[^ ]*//g; s/ -S all//; s/ -F arch=b64//' -e 's/ (-p |-F perm=)r?wx?a( |$)/\2/' \
    -e 's/^(-w |-a always,exit -F (dir|path)=)([^ ]+)$/\3/p' | sed 's|\(.\)/$|\1|'
}
