/** Where the host itself gets Debian packages from: the mirror asks there and nowhere else. */
import * as fs from "node:fs";
import * as path from "node:path";

import { ARCHIVES, type Archive } from "./rules";

/** The URIs of a deb822 file's enabled `deb` stanzas. */
function deb822Uris(text: string): string[] {
  const unfolded = text.replace(/^#.*\n?/gm, "").replace(/\n[ \t]+/g, " ");
  return unfolded.split(/\n\s*\n/).flatMap((stanza) => {
    const fieldOf = (name: string): string =>
      new RegExp(`^${name}:(.*)$`, "im").exec(stanza)?.[1]?.trim() ?? "";
    const enabled = !/^(no|false|0|off)$/i.test(fieldOf("Enabled"));
    return enabled && /\bdeb\b(?!-)/.test(fieldOf("Types")) ? fieldOf("URIs").split(/\s+/) : [];
  });
}

/** The URIs of a one-line-style file's `deb` lines. */
function listUris(text: string): string[] {
  const lines = text.matchAll(/^[ \t]*deb[ \t]+(?:\[[^\]]*\][ \t]*)?(\S+)/gm);
  return [...lines].map((match) => match[1] as string);
}

/** All http(s) URIs apt is configured with, in apt's own order of files. */
function configuredUris(etcApt: string): string[] {
  const parts = path.join(etcApt, "sources.list.d");
  const names = fs.existsSync(parts) ? fs.readdirSync(parts).sort() : [];
  const files = [path.join(etcApt, "sources.list"), ...names.map((name) => path.join(parts, name))];
  const uris = files
    .filter((file) => fs.existsSync(file))
    .flatMap((file) => {
      const text = fs.readFileSync(file, "utf8");
      if (file.endsWith(".sources")) return deb822Uris(text);
      return file.endsWith(".list") ? listUris(text) : [];
    });
  return uris.filter((uri) => /^https?:\/\//.test(uri)).map((uri) => uri.replace(/\/+$/, ""));
}

/**
 * The upstream of each archive: `DOCKER_NODE_LAB_MIRROR` (a base that holds `debian` and
 * `debian-security`), else what apt on this host uses.
 * @throws Error where apt uses no Debian archive, saying what to set
 */
export function findUpstreams(
  override = process.env["DOCKER_NODE_LAB_MIRROR"],
  etcApt = "/etc/apt",
): Record<Archive, string> {
  const base = override?.replace(/\/+$/, "").replace(/\/debian$/, "");
  const configured = base
    ? ARCHIVES.map((archive) => `${base}/${archive}`)
    : configuredUris(etcApt);
  const entries = ARCHIVES.map((archive) => {
    const own = configured.find((uri) => new URL(uri).pathname.endsWith(`/${archive}`));
    if (!own) throw new Error(`${NO_ARCHIVE}: ${archive}`);
    return [archive, own];
  });
  return Object.fromEntries(entries) as Record<Archive, string>;
}

const NO_ARCHIVE =
  "apt on this machine uses no Debian archive; set DOCKER_NODE_LAB_MIRROR to a Debian mirror's base URL";
