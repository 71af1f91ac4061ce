# shellcheck shell=bash
# Part of workload.sh: what a container keeps in volumes that nobody declared, which are removed together with it.

inspect() { docker_cli inspect --type container --format "$1" "$2"; }

# Paths of a container's volumes that are not declared. docker makes a volume for each VOLUME of the image where nothing is mounted
# (moby daemon/create_unix.go); the provider declares its own as binds.
undeclared() { # CONTAINER
  local binds mounts name path paths=''
  binds=$(inspect '{{range .HostConfig.Binds}}{{println .}}{{end}}{{range .HostConfig.Mounts}}{{.Source}}:{{println}}{{end}}' "$1")
  mounts=$(inspect '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name .Destination}}{{end}}{{end}}' "$1")
  while read -r name path; do
    [[ -z $name || $'\n'$binds == *$'\n'"$name:"* ]] || paths+=", $path"
  done <<<"$mounts"
  printf %s "${paths#, }"
}

refuse_undeclared() { # PREVIOUS...
  local each paths
  paths=$(undeclared "$CONTAINER")
  [[ -z $paths ]] ||
    fail "$WORKLOAD: its image keeps data in $paths, which would be lost with the container; declare a volume or tmpfs for $paths"
  for each in "$@"; do
    paths=$(undeclared "$each")
    [[ -z $paths ]] ||
      fail "$WORKLOAD: data of the earlier container in $paths would be lost with it; run docker stop $each, copy what you need, and run up again"
  done
}
