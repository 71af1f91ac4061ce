/** The machine and its Docker. */
import type { Html } from "../html";
import { ifKnown, makePairs, makeSection } from "../elements";
import type { NodeReport } from "../model";

export const machinePart = ({ machine }: NodeReport): Html =>
  makeSection(
    "machine",
    "Machine",
    makePairs([
      ["VM", `${machine.vmId} on ${machine.proxmoxNode}`],
      ["Size", machine.size],
      ["Disks", machine.disks.join("; ")],
      ["Address", machine.addresses.join(", ")],
      ["Gateway", machine.gateways.join(", ")],
      ...(machine.nics.length > 0 ? [["Further NICs", machine.nics.join("; ")] as const] : []),
    ]),
  );

const GIB = 1024 ** 3;

export const dockerPart = ({ docker }: NodeReport): Html =>
  makeSection(
    "docker",
    "Docker",
    ifKnown(docker, (found) =>
      makePairs([
        ["Release", found.release],
        ["System", `${found.system}, kernel ${found.kernel}`],
        ["Seen by Docker", `${found.processors} processors, ${toGib(found.memoryBytes)} GiB`],
        ["Storage driver", found.storage],
        ["Log driver", found.logging],
        ["Live restore", found.liveRestore ? "on" : "off"],
      ]),
    ),
  );

const toGib = (bytes: number): string => (bytes / GIB).toFixed(1);
