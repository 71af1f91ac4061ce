/** Section 3: who may read and write Docker's files. What is not there meets its check. */
import { setting, type Facts } from "../facts";
import type { Judge, Judges } from "../check";

/** Paths of a check; some are named by daemon.json. */
type Paths = (facts: Facts) => readonly string[];

const ending =
  (end: string): Paths =>
  ({ files }) =>
    files.filter(({ path }) => path.endsWith(end)).map(({ path }) => path);

const named =
  (key: string): Paths =>
  (facts) => {
    const path = setting(facts, key);
    return typeof path === "string" ? [path] : [];
  };

const registryCertificates: Paths = ({ files }) =>
  files.filter(({ path }) => path.startsWith("/etc/docker/certs.d/")).map(({ path }) => path);

const ownedBy =
  (paths: Paths, owner = "root:root"): Judge =>
  (facts) =>
    at(facts, paths)
      .filter((file) => `${file.owner}:${file.group}` !== owner)
      .map((file) => ({ what: `${file.path} belongs to ${file.owner}:${file.group}` }));

/** No bit that the mode lacks: 640 is stricter than 644. */
const atMost =
  (paths: Paths, mode: number): Judge =>
  (facts) =>
    at(facts, paths)
      .filter((file) => (file.mode & ~mode) !== 0)
      .map((file) => ({ what: `${file.path} is ${file.mode.toString(8)}` }));

function at(facts: Facts, paths: Paths): Facts["files"] {
  const wanted = paths(facts);
  return facts.files.filter(({ path }) => wanted.includes(path));
}

const service = ending("/docker.service");
const socketUnit = ending("/docker.socket");
const folder = ending("/etc/docker");
const socket = ending("/run/docker.sock");
const daemonJson = ending("/etc/docker/daemon.json");
const debianDefaults = ending("/etc/default/docker");
const sysconfig = ending("/etc/sysconfig/docker");
const containerd = ending("/containerd.sock");

export const FILES: Judges = {
  "3.1": ownedBy(service),
  "3.2": atMost(service, 0o644),
  "3.3": ownedBy(socketUnit),
  "3.4": atMost(socketUnit, 0o644),
  "3.5": ownedBy(folder),
  "3.6": atMost(folder, 0o755),
  "3.7": ownedBy(registryCertificates),
  "3.8": atMost(registryCertificates, 0o444),
  "3.9": ownedBy(named("tlscacert")),
  "3.10": atMost(named("tlscacert"), 0o444),
  "3.11": ownedBy(named("tlscert")),
  "3.12": atMost(named("tlscert"), 0o444),
  "3.13": ownedBy(named("tlskey")),
  "3.14": atMost(named("tlskey"), 0o400),
  "3.15": ownedBy(socket, "root:docker"),
  "3.16": atMost(socket, 0o660),
  "3.17": ownedBy(daemonJson),
  "3.18": atMost(daemonJson, 0o644),
  "3.19": ownedBy(debianDefaults),
  "3.20": atMost(debianDefaults, 0o644),
  "3.21": atMost(sysconfig, 0o644),
  "3.22": ownedBy(sysconfig),
  "3.23": ownedBy(containerd),
  "3.24": atMost(containerd, 0o660),
};
