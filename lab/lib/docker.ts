/** Docker's repository in the lab. It exists only if a node of the lab is declared to install from it. */
import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { merge } from "../../config/load";
import {
  ensureDockerRepository,
  repositoryPrerequisites,
  type DockerRepository,
} from "../docker/repository";
import type { GuestImage } from "./image";
import { ROOT, readDeclared, type Instance } from "./instance";
import { ensurePrerequisites } from "./prerequisites";
import type { Log } from "./service";

/** The directory that the mirror serves. It is a link, so a running mirror serves a new repository at once. */
export const publishedDocker = ({ stateDir }: Instance): string => path.join(stateDir, "docker");

/**
 * Returns the repository, built if it is new. Undefined if neither Pulumi.lab.yaml nor the instance declares a node with
 * `source: official`.
 */
export async function getDockerRepository(
  instance: Instance,
  image: GuestImage,
  log: Log,
): Promise<DockerRepository | undefined> {
  if (!wantsOfficial(instance)) return undefined;
  await ensurePrerequisites(repositoryPrerequisites, log);
  return ensureDockerRepository(image.os, log);
}

/** Publishes the repository, if an instance has one. */
export async function publishDocker(
  instance: Instance,
  image: GuestImage,
  log: Log,
): Promise<DockerRepository | undefined> {
  const repository = await getDockerRepository(instance, image, log);
  if (!repository) return undefined;
  const link = publishedDocker(instance);
  fs.rmSync(link, { force: true });
  fs.symlinkSync(repository.directory, link);
  return repository;
}

function wantsOfficial(instance: Instance): boolean {
  const { config } = parse(fs.readFileSync(path.join(ROOT, "Pulumi.lab.yaml"), "utf8")) as {
    config: Record<string, unknown>;
  };
  const layers = merge({ nodes: config["docker-node:nodes"] }, readDeclared(instance)) as {
    nodes: Record<string, { engine?: { source?: string } } | null>;
  };
  return Object.values(layers.nodes).some((node) => node?.engine?.source === "official");
}
