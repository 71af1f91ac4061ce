# shellcheck shell=bash
# Reads a daemon.json. Goes between lib.sh and the scripts that ask.
#   config normal FILE          in one line, keys sorted
#   config alive FILE           with live-restore
#   config get FILE KEY         a value, or nothing if it is not set
#   config changed OLD NEW      keys that differ
#   config effect OLD NEW KEYS  reload or restart; KEYS are those that a reload accepts
#   config layout FILE DRIVER   where data is; DRIVER is what docker uses now, and keeps using unless the file says otherwise
#   config needs FILE           what has to be on the node, a line "KEY file|socket|command PATH" each
#   config unlike FILE [all] <INFO  values that docker reports (docker info, JSON) and that differ from the file: rows of key,
#                               docker's value and the file's value, separated by tabs. With `all` also of keys that the file does
#                               not have: they were removed by hand, or by a version of this program that only reloaded
#   config differences OLD NEW  differences of two files, in the same form, down to the last key: log-opts.max-file
# An absent or empty file counts as {}, as it does for dockerd.

# The image store is a key of its own: a reload accepts the rest of `features`, but not this one. A key that was removed stays in
# effect until dockerd starts again (moby daemon/reload.go applies only what the file names).
readonly CONFIG_READER='
import ipaddress, json, os, sys
command, path, *rest = sys.argv[1:]

def read(path):
    value = json.loads((os.path.exists(path) and open(path).read().strip()) or "{}")
    return value if isinstance(value, dict) else sys.exit("not an object")

def flat(value):
    store = [item for item in (value.get("features") or {}).items() if item[0] == "containerd-snapshotter"]
    return value | {f"features.{name}": on for name, on in store}

value = flat(read(path))

def changed(other):
    return sorted(key for key in value | other if value.get(key, ...) != other.get(key, ...))

def effect(other, *keys):
    return "reload" if all(key in other and key in keys for key in changed(other)) else "restart"

def layout(driver):
    store, remap = value.get("features.containerd-snapshotter"), value.get("userns-remap", "").split(":")[0]
    kept = "overlay2" if driver == "overlayfs" and (remap or store is False) else driver
    return ["data-root", value.get("data-root", "/var/lib/docker"), "userns-remap", remap.replace("default", "dockremap") or "off",
        "storage", value.get("storage-driver") or ("overlayfs" if store else kept)]

def needs():
    profile, options = value.get("seccomp-profile", ""), value.get("log-opts") or {}
    if profile.startswith("/"):
        yield "seccomp-profile", "file", profile
    for name, runtime in (value.get("runtimes") or {}).items():
        if runtime.get("path"):
            yield f"runtimes.{name}", "command", runtime["path"]
    for name, option in options.items():
        scheme, _, target = option.partition("://")
        if name == "syslog-address" and scheme in ("unix", "unixgram"):
            yield f"log-opts.{name}", "socket", target
        if name in ("syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key"):
            yield f"log-opts.{name}", "file", option

# dockerd always treats these as insecure.
LOOPBACK = {"127.0.0.0/8", "::1/128"}

def network(text):
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text

# Keys as docker reports them (moby daemon/info.go), with both sides in the same form.
def told(info):
    plain = {"debug": "Debug", "experimental": "ExperimentalBuild", "live-restore": "LiveRestoreEnabled", "log-driver": "LoggingDriver",
        "storage-driver": "Driver", "default-runtime": "DefaultRuntime"}
    found = {key: info[name] for key, name in plain.items() if name in info}
    if "Labels" in info:
        found["labels"] = sorted(set(info["Labels"] or []))
    if "Runtimes" in info:
        found["runtimes"] = sorted(set(info["Runtimes"]) & set(value.get("runtimes") or {}))
    registries = info.get("RegistryConfig")
    if registries:
        hosts = [name for name, index in registries["IndexConfigs"].items() if not index["Secure"]]
        found["insecure-registries"] = sorted({*hosts, *registries["InsecureRegistryCIDRs"]} - LOOPBACK)
        found["registry-mirrors"] = sorted(registries["Mirrors"] or [])
    return found

def declared(key):
    item = value[key]
    if key == "registry-mirrors":
        return sorted({mirror.removesuffix("/") + "/" for mirror in item})
    if key == "insecure-registries":
        return sorted({network(registry) for registry in item} - LOOPBACK)
    return sorted(set(item)) if key in ("labels", "runtimes") else item

# What dockerd has for keys that no file and no reload has set.
UNSET = {"debug": False, "labels": [], "live-restore": False, "insecure-registries": [], "registry-mirrors": []}

def unlike(unset):
    for key, found in told(json.loads(sys.stdin.read() or "{}")).items():
        wanted = declared(key) if key in value else unset.get(key, found)
        if wanted != found:
            yield "\t".join([key, json.dumps(found), json.dumps(wanted)])

def differences(found, declared, path=""):
    for key in sorted({*found, *declared}):
        sides = [side.get(key) for side in (found, declared)]
        if all(isinstance(side, dict) for side in sides):
            yield from differences(*sides, f"{path}{key}.")
        elif sides[0] != sides[1] or (key in found) != (key in declared):
            yield "\t".join([path + key, *(json.dumps(side[key]) if key in side else "" for side in (found, declared))])

if command == "normal":
    print(json.dumps(read(path), sort_keys=True, separators=(",", ":")))
elif command == "alive":
    print(json.dumps(read(path) | {"live-restore": True}))
elif command == "get":
    print(json.dumps(value[rest[0]]).strip("\"") if rest[0] in value else "")
elif command == "changed":
    print(*changed(flat(read(rest[0]))))
elif command == "effect":
    print(effect(flat(read(rest[0])), *rest[1:]))
elif command == "differences":
    print(*differences(read(path), read(rest[0])), sep="\n")
elif command == "layout":
    print(*layout(rest[0]))
elif command == "needs":
    print(*(" ".join(need) for need in needs()), sep="\n")
else:
    print(*unlike(UNSET if rest else {}), sep="\n")
'
config() { python3 -c "$CONFIG_READER" "$@"; }
