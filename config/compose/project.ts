import { merge } from "../merge";
import type { Problem } from "../problems";
import { hostLabel } from "../schema/fields";
import type { ComposeProject } from "../schema/compose";
import type { Tree } from "../tree";
import {
  entriesOf,
  placeIn,
  refuseIn,
  treeIn,
  workloadName,
  type Composed,
  type Refuse,
} from "./model";
import { convertService } from "./service";

/** A workload that comes from a compose file, and where its service stands. */
export interface FromCompose {
  readonly workload: Tree;
  readonly origin: readonly PropertyKey[];
}

/** The workloads of a project, by name. Whatever a workload cannot have is a problem, by file and service. */
export function readProject(
  project: string,
  declared: ComposeProject,
  composed: Composed,
  problems: Problem[],
): Record<string, FromCompose> {
  const { model } = composed;
  const services = treeIn(model, "services");
  const refuse = refuseIn(project, composed, problems);
  checkTop(model, refuse);
  problems.push(...findUnknown(project, declared, Object.keys(services)));
  const entries = Object.entries(services).flatMap(([name, service]) => {
    const path = ["services", name];
    const refuseBelow = refuseUnder(path, refuse);
    const read = convertService(service, { project, name, model, refuse: refuseBelow });
    const workload = merge(read, declared.services[name] ?? {}) as Tree;
    const full = workloadName(project, name);
    if (hostLabel.safeParse(full).success)
      return [[full, { workload, origin: placeIn(project, composed, path) }] as const];
    refuseBelow([], `a name that makes a host name after ${project}-: lower-case, digits, hyphens`);
    return [];
  });
  return Object.fromEntries(entries);
}

const refuseUnder =
  (path: readonly PropertyKey[], refuse: Refuse): Refuse =>
  (below, allowed) => {
    refuse([...path, ...below], allowed);
  };

function findUnknown(
  project: string,
  { services }: ComposeProject,
  names: readonly string[],
): Problem[] {
  return Object.entries(services).flatMap(([name, value]) =>
    names.includes(name)
      ? []
      : [
          {
            path: ["compose", project, "services", name],
            value,
            allowed: `a service of the files: ${names.join(", ")}`,
          },
        ],
  );
}

const SECTIONS = ["name", "version", "services", "networks", "volumes", "secrets"];

/** Networks and volumes are the node's, and outlive what uses them. */
function checkTop(model: unknown, refuse: Refuse): void {
  for (const [section] of entriesOf(model))
    if (!SECTIONS.includes(section)) refuse([section], "services, networks, volumes, secrets");
  for (const section of ["networks", "volumes"])
    for (const [key, options] of entriesOf(treeIn(model, section)))
      for (const [option] of entriesOf(options))
        if (option !== "name" && option !== "external")
          refuse([section, key, option], `name and external; ${declaredAt(section, option)}`);
}

/** Where the node declares it instead. */
function declaredAt(section: string, option: string): string {
  const own = `nodes.<name>.${section}`;
  if (option === "ipam") return `the node declares subnets, as ${own}.<name>.subnet and .ipv6`;
  if (option === "enable_ipv6") return `the node declares it, as ${own}.<name>.ipv6`;
  return `the node declares the rest, under ${own}`;
}
