import { isTree, type Tree } from "../tree";
import { entriesOf, itemsOf, textOf, treeIn, workloadName } from "./model";
import type { Convert } from "./service";
import { toNumber } from "./units";

/* How a service is reached, and whom it reaches. */

/** `networks` of a service. Compose gives it the network `default` if it names none. */
export const readNetworks: Convert = (value, { model, name, refuse }) => {
  const entries = Object.entries(isTree(value) ? value : {}).map(([key, options]) => {
    const { aliases = [], ...rest } = isTree(options) ? options : {};
    for (const [option] of entriesOf(rest))
      refuse(["networks", key, option], "aliases; Docker chooses the address");
    const network = textOf(treeIn(treeIn(model, "networks"), key).name) || key;
    return [network, { aliases: [...new Set([name, ...itemsOf(aliases)])] }] as const;
  });
  return { networks: Object.fromEntries(entries) };
};

const PORT_KEYS = ["mode", "target", "published", "protocol", "host_ip"];

/** `ports` of a service. */
export const readPorts: Convert = (value, { refuse }) => ({
  ports: itemsOf(value).map((item, index) => {
    const port = item as Tree;
    for (const [key] of entriesOf(port).filter(([one]) => !PORT_KEYS.includes(one)))
      refuse(["ports", index, key], "take it out");
    if (port.published === undefined)
      refuse(["ports", index], "a port of the node too, such as 8080:80; Docker chooses none");
    return {
      port: toNumber(port.published),
      containerPort: port.target,
      ...(port.host_ip === undefined ? {} : { address: port.host_ip }),
      ...(port.protocol === undefined ? {} : { protocol: port.protocol }),
    };
  }),
});

/** `network_mode` of a service. */
export const readNetworkMode: Convert = (value, { refuse }) => {
  if (value !== "none") refuse(["network_mode"], "networks, or none");
  return {};
};

/** `extra_hosts` of a service: `name=address`, older releases of compose with a colon. */
export const readHosts: Convert = (value) => {
  const hosts: Record<string, string[]> = {};
  for (const item of itemsOf(value)) {
    const [, host = textOf(item), address = ""] = /^([^=:]+)[=:](.*)$/.exec(textOf(item)) ?? [];
    hosts[host] = [...(hosts[host] ?? []), address];
  }
  return { hosts };
};

/** `depends_on` of a service. A service that it does not need, and that no profile brings in, is left out. */
export const readDependencies: Convert = (value, { model, project, refuse }) => {
  const services = treeIn(model, "services");
  const wanted = Object.entries(isTree(value) ? value : {}).filter(
    ([other, rule]) => other in services || (rule as Tree).required !== false,
  );
  for (const [other, rule] of wanted) {
    const { condition, restart } = rule as Tree;
    if (condition === "service_completed_successfully")
      refuse(
        ["depends_on", other, "condition"],
        "service_healthy or service_started; what runs once belongs into the image's entrypoint",
      );
    if (restart === true)
      refuse(["depends_on", other, "restart"], "take it out; workloads restart by themselves");
  }
  return { dependsOn: wanted.map(([other]) => workloadName(project, other)) };
};
