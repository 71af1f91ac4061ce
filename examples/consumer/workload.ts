import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { dockerNode, dockerProvider } from "../../contract";

/** The network of the node that the workload joins. */
const NETWORK = "astronomy-compute-secondary";
const PORT = 8080;

/** A web server on a node of another stack; `up` ends when it is healthy. */
export function workload(): { container: pulumi.Output<string>; url: pulumi.Output<string> } {
  const config = new pulumi.Config();
  const platform = new pulumi.StackReference(config.require("platform"));
  const node = dockerNode(platform, config.require("node"));
  const privateKeyFile = config.require("privateKeyFile");
  const provider = dockerProvider("node", node, { privateKeyFile });
  const image = new docker.RemoteImage(
    "image",
    // A version and a digest: the same bytes on every node, today and next year.
    {
      name: config.require("image", { pattern: /:[\w.-]+@sha256:[0-9a-f]{64}$/ }),
      keepLocally: true,
    },
    { provider },
  );
  const network = node.apply(({ name, networks }) => {
    const found = networks[NETWORK];
    if (!found) throw new pulumi.RunError(`${name} has no network ${NETWORK}`);
    return found.id;
  });
  const web = new docker.Container("web", webServer(image.imageId, network), {
    provider,
    // Its name is taken until it is gone.
    deleteBeforeReplace: true,
  });
  return { container: web.name, url: web.networkDatas.apply(urlOf) };
}

/**
 * What Docker is told. What it would fill in by itself is written out, or it comes back as a difference; for
 * the same reason durations are below a minute (Docker says 1m0s for 1m).
 */
function webServer(
  image: pulumi.Input<string>,
  network: pulumi.Input<string>,
): docker.ContainerArgs {
  return {
    name: "consumer-web",
    image,
    command: ["httpd", "-f", "-p", String(PORT), "-h", "/www"],
    uploads: [{ file: "/www/index.html", content: "hello from the consumer stack\n" }],
    user: "65534:65534",
    restart: "unless-stopped",
    securityOpts: ["no-new-privileges:true"],
    // The default bridge is left for the network, where other containers find this one by its alias.
    networkMode: "bridge",
    networksAdvanced: [{ name: network, aliases: ["web"] }],
    ...HEALTH,
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
    // MiB; without the second Docker adds as much swap.
    memory: 64,
    memorySwap: 64,
  };
}

/** Healthy is what answers; `up` waits for it and fails otherwise. */
const HEALTH = {
  healthcheck: {
    tests: ["CMD", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${PORT}/`],
    interval: "5s",
    timeout: "10s",
    startPeriod: "30s",
    startInterval: "0s",
    retries: 3,
  },
  wait: true,
  waitTimeout: 120,
};

function urlOf(networks: docker.types.output.ContainerNetworkData[]): string {
  const joined = networks.find(({ networkName }) => networkName === NETWORK);
  return `http://${joined?.ipAddress ?? ""}:${PORT}/`;
}
