import { statSync } from "node:fs";
import { join } from "node:path";
import { done, has, home, node, read, script, useNode, write } from "../support/node";

/** The step that gives dockerd the authorities of registries. */

useNode();

const pem = (text: string): string =>
  `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----`;
const HOST = "registry.example.org:5000";
const file = (host: string): string => node(`docker/certs.d/${host}/docker-node.crt`);
const trust = (...lines: string[]): unknown =>
  done(script("registries", { CERTIFICATES: lines.join("\n") }));

test("each registry gets its own, which everybody may read and nobody write", () => {
  const result = trust(HOST, pem("AAAA"), pem("BBBB"), "docker.io", pem("CCCC"));
  expect(result).toEqual({ registries: [HOST, "docker.io"] });
  expect(read(file(HOST))).toBe(`${pem("AAAA")}\n${pem("BBBB")}\n`);
  expect(read(file("docker.io"))).toBe(`${pem("CCCC")}\n`);
  expect(statSync(join(home, file(HOST))).mode & 0o777).toBe(0o444);
});

test("a second run changes nothing", () => {
  trust(HOST, pem("AAAA"));
  const before = statSync(join(home, file(HOST))).mtimeMs;
  trust(HOST, pem("AAAA"));
  expect(statSync(join(home, file(HOST))).mtimeMs).toBe(before);
});

test("another certificate takes the place of the first", () => {
  trust(HOST, pem("AAAA"));
  trust(HOST, pem("BBBB"));
  expect(read(file(HOST))).toBe(`${pem("BBBB")}\n`);
});

test("what is no longer declared goes, with its folder; files of others stay", () => {
  trust(HOST, pem("AAAA"), "other.example.org", pem("BBBB"));
  const theirs = [node(`docker/certs.d/${HOST}/ca.crt`), node("docker/certs.d/third/ca.crt")];
  for (const path of theirs) write(path, pem("DDDD"));
  expect(trust()).toEqual({ registries: [] });
  expect([HOST, "other.example.org"].filter((host) => has(file(host)))).toEqual([]);
  expect(has(node("docker/certs.d/other.example.org"))).toBe(false);
  expect(theirs.map((path) => read(path))).toEqual([pem("DDDD"), pem("DDDD")]);
});

test("a node that never had one stays as it is", () => {
  expect(trust()).toEqual({ registries: [] });
  expect(has(node("docker"))).toBe(false);
});
