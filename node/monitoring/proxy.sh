# shellcheck shell=bash
# Configuration of the proxy between cAdvisor and Docker: HAProxy, which answers at a socket of its own and passes on what cAdvisor asks
# (container/docker/ there), nothing else of Docker's API. Goes between apt.sh and monitoring.sh.

# A folder, because a mounted file stays the one that it was when it is replaced.
readonly PROXY_FOLDER=/etc/docker-node/socket-proxy

proxy_limits() {
  cat <<'CONFIGURATION'
global
  maxconn 64
  nbthread 1
  hard-stop-after 5s

defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
CONFIGURATION
}

# Docker upgrades a connection for some calls, and no call is read on it then. Whether Docker can be reached is its health.
proxy_routes() {
  cat <<'CONFIGURATION'
frontend cadvisor
  bind unix@/run/socket-proxy/docker.sock mode 666
  http-request deny unless { method GET HEAD }
  http-request deny unless { path_reg ^(/v[0-9.]+)?/(_ping|info|version|containers/[0-9a-f]{64}/json)$ }
  http-request del-header Upgrade
  default_backend docker

frontend health
  bind 127.0.0.1:8404
  monitor-uri /healthz
  monitor fail if { nbsrv(docker) lt 1 }

backend docker
  option httpchk GET /_ping
  server docker unix@/var/run/docker.sock check inter 10s
CONFIGURATION
}

set_up_proxy() {
  write_if_changed "$ROOT_DIR$PROXY_FOLDER/haproxy.cfg" 0644 <<<"$(
    proxy_limits
    echo
    proxy_routes
  )"
}

take_away_proxy() {
  [[ ! -e $ROOT_DIR$PROXY_FOLDER ]] || put_right "$PROXY_FOLDER" "" present absent rm -r "$ROOT_DIR$PROXY_FOLDER"
}
