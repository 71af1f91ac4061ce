import { z } from "zod";
import { isCidr, isCidr6 } from "../cidr";

/* Names of registries, as moby's daemon/pkg/registry/config.go accepts them. */

const LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:]+\\])(?::\\d{1,5})?$`);

/** dockerd checks these only when it loads them: `--validate` does not (loadInsecureRegistries). */
function isRegistry(text: string): boolean {
  if (isCidr(text) || isCidr6(text)) return true;
  const port = /:(\d+)$/.exec(text)?.[1] ?? "443";
  return DOMAIN.test(text) && Number(port) <= 65535;
}

/** `insecure-registries`: a host, a host with a port, or a network. */
export const registry = z.string().refine(isRegistry, {
  error:
    "a registry's host or host:port, or a network, such as registry.example.org:5000 or 10.25.0.0/16; without scheme, path and *",
});

/** ValidateMirror: http or https, a host, no user, no query, no fragment. */
function isMirror(text: string): boolean {
  if (!/^https?:\/\/[^\s\\]+$/.test(text) || !URL.canParse(text)) return false;
  const { host, username, password, search, hash } = new URL(text);
  return host !== "" && !/[?#]/.test(text) && `${username}${password}${search}${hash}` === "";
}

/** `registry-mirrors`: a URL without user and query. */
export const mirror = z.string().refine(isMirror, {
  error:
    "an http or https URL without user, password and query, such as https://mirror.example.org",
});

function isProxy(text: string): boolean {
  if (!/^(https?|socks5):\/\/[^\s\\]+$/.test(text) || !URL.canParse(text)) return false;
  const { hostname, username, password } = new URL(text);
  return hostname !== "" && `${username}${password}` === "";
}

/** `proxies`: a URL without user. */
export const proxy = z.string().refine(isProxy, {
  error:
    "an http, https or socks5 URL without user and password, such as http://proxy.example.org:3128; everyone on the node can read daemon.json",
});
