/** Section 3: who may read and write Docker's files. What is not there meets its check. */
import { settingOf, type Facts } from "../facts";
import type { Judge, Judges } from "../check";

/** Paths of a check; some are named by daemon.json. */
type Paths = (facts: Facts) => readonly string[];

const pathsEndingIn =
  (end: string): Paths =>
  ({ files }) =>
    files.filter(({ path }) => path.endsWith(end)).map(({ path }) => path);

const pathNamedBy =
  (key: string): Paths =>
  (facts) => {
    const path = settingOf(facts, key);
    return typeof path === "string" ? [path] : [];
  };

const registryCertificates: Paths = ({ files }) =>
  files.filter(({ path }) => path.startsWith("/etc/docker/certs.d/")).map(({ path }) => path);

const judgeOwner =
  (paths: Paths, owner = "root:root"): Judge =>
  (facts) =>
    filesAt(facts, paths)
      .filter((file) => `${file.owner}:${file.group}` !== owner)
      .map((file) => ({ what: `${file.path} belongs to ${file.owner}:${file.group}` }));

/** No bit that the mode lacks: 640 is stricter than 644. */
const judgeMode =
  (paths: Paths, mode: number): Judge =>
  (facts) =>
    filesAt(facts, paths)
      .filter((file) => (file.mode & ~mode) !== 0)
      .map((file) => ({ what: `${file.path} is ${file.mode.toString(8)}` }));

function filesAt(facts: Facts, paths: Paths): Facts["files"] {
  const wanted = paths(facts);
  return facts.files.filter(({ path }) => wanted.includes(path));
}

const service = pathsEndingIn("/docker.service");
const socketUnit = pathsEndingIn("/docker.socket");
const folder = pathsEndingIn("/etc/docker");
const socket = pathsEndingIn("/run/docker.sock");
const daemonJson = pathsEndingIn("/etc/docker/daemon.json");
const debianDefaults = pathsEndingIn("/etc/default/docker");
const sysconfig = pathsEndingIn("/etc/sysconfig/docker");
const containerd = pathsEndingIn("/containerd.sock");

export const FILES: Judges = {
  "3.1": judgeOwner(service),
  "3.2": judgeMode(service, 0o644),
  "3.3": judgeOwner(socketUnit),
  "3.4": judgeMode(socketUnit, 0o644),
  "3.5": judgeOwner(folder),
  "3.6": judgeMode(folder, 0o755),
  "3.7": judgeOwner(registryCertificates),
  "3.8": judgeMode(registryCertificates, 0o444),
  "3.9": judgeOwner(pathNamedBy("tlscacert")),
  "3.10": judgeMode(pathNamedBy("tlscacert"), 0o444),
  "3.11": judgeOwner(pathNamedBy("tlscert")),
  "3.12": judgeMode(pathNamedBy("tlscert"), 0o444),
  "3.13": judgeOwner(pathNamedBy("tlskey")),
  "3.14": judgeMode(pathNamedBy("tlskey"), 0o400),
  "3.15": judgeOwner(socket, "root:docker"),
  "3.16": judgeMode(socket, 0o660),
  "3.17": judgeOwner(daemonJson),
  "3.18": judgeMode(daemonJson, 0o644),
  "3.19": judgeOwner(debianDefaults),
  "3.20": judgeMode(debianDefaults, 0o644),
  "3.21": judgeMode(sysconfig, 0o644),
  "3.22": judgeOwner(sysconfig),
  "3.23": judgeOwner(containerd),
  "3.24": judgeMode(containerd, 0o660),
};
