import type { NodeConfig } from "../../schema";
import { workloadsOf } from "../../workloads";
import type { Report } from "../report";

/** Each has to be another workload of the node, and none may wait for itself. */
export function checkDependencies(node: NodeConfig, report: Report): void {
  for (const [name, { dependsOn }] of workloadsOf(node)) {
    const others = Object.keys(node.workloads).filter((other) => other !== name);
    dependsOn.forEach((other, index) => {
      const path = `workloads/${name}/dependsOn/${index}`;
      if (!others.includes(other))
        report(
          path,
          other,
          `another workload of the node: ${others.join(", ") || "there is none"}`,
        );
      else if (isBehind(node, other, name))
        report(path, other, `a workload that does not wait for ${name} itself`);
    });
  }
}

/** Whether a workload waits for another one, through others too. */
function isBehind({ workloads }: NodeConfig, name: string, other: string): boolean {
  const seen = new Set<string>();
  const left = [name];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    if (at === other) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    left.push(...(workloads[at]?.dependsOn ?? []));
  }
  return false;
}

/** Checks that labels of workloads are not those by which the program and Docker find things. */
export function checkLabels(node: NodeConfig, report: Report): void {
  for (const [name, { labels }] of workloadsOf(node))
    for (const [label, value] of Object.entries(labels))
      if (/^(docker-node|com\.docker|io\.docker|org\.dockerproject)\./.test(label))
        report(
          `workloads/${name}/labels/${label}`,
          value,
          "a label that is not the program's or Docker's own",
        );
}

/** The highest id in a user namespace: useradd gives `dockremap` 65536 of them (login.defs, SUB_UID_COUNT). */
const LAST_ID = 65535;

/** Checks that the user of a workload exists in the user namespace, where there is one. */
export function checkUsers(node: NodeConfig, report: Report): void {
  if (!node.engine.daemon["userns-remap"]) return;
  for (const [name, { user }] of workloadsOf(node))
    if (user.split(":").some((id) => Number(id) > LAST_ID))
      report(
        `workloads/${name}/user`,
        user,
        `ids up to ${LAST_ID}: with userns-remap there are no others in a container`,
      );
}

/** Docker starts no container with more processors than the machine has. */
export function checkLimits(node: NodeConfig, report: Report): void {
  const { cpu, memoryGiB } = node.machine;
  for (const [name, { limits }] of workloadsOf(node)) {
    const path = `workloads/${name}/limits`;
    if (limits.cpus > cpu.cores)
      report(`${path}/cpus`, limits.cpus, `at most ${cpu.cores}, the cores of the machine`);
    if (limits.memoryMiB > memoryGiB * 1024)
      report(
        `${path}/memoryMiB`,
        limits.memoryMiB,
        `at most ${memoryGiB * 1024}, the memory of the machine`,
      );
  }
}
