/** Steps that recreate one container from its definition. */
import { z } from "zod";
import { parseAnswer } from "../../clients/answer";
import { poll } from "../../clients/poll";
import { ensureImage } from "../site/image";
import {
  containerState,
  nameOf,
  takeInventory,
  type Container,
  type ContainerState,
} from "../site/inventory";
import { callDocker, type Site } from "../site/site";
import { creationOf, networkBody, networksOf, sourceOf, type Creation } from "./definition";
import { hasName, type Definitions } from "./definitions";
import { forget, type Step } from "./steps";

/* What the Docker API answers (ContainerCreateResponse, ContainerInspectResponse). */
const made = z.object({ Id: z.string() });
const inspected = z.object({ State: containerState });

/** Steps for networks that neither exist nor are planned. Adds them to `planned`. */
export function networkSteps(
  site: Site,
  container: Container,
  { networks }: Definitions,
  planned: Set<string>,
): Step[] {
  const missing = networksOf(container).filter((name) => !planned.has(name));
  return missing.map((name) => {
    planned.add(name);
    const network = networks.find(({ Name }) => Name === name);
    if (!network) throw new Error(`network ${name}: neither on the node nor in the backup`);
    return {
      title: `make the network ${name}`,
      run: () => forget(callDocker(site, "POST", "/networks/create", networkBody(network))),
      undo: {
        title: `remove the network ${name}`,
        run: () => callDocker(site, "DELETE", `/networks/${name}`),
      },
    };
  });
}

/** @param saved new name of the existing container, if there is one */
export function createSteps(
  site: Site,
  container: Container,
  definitions: Definitions,
  saved: string | undefined,
): Step[] {
  const { Config, Image: id } = container;
  const [name, source] = [nameOf(container), sourceOf(container, definitions.images)];
  let image = Config.Image;
  const have: Step = {
    title: `have the image ${Config.Image}: pulled from ${source || "nowhere"}, or from the images' backup`,
    run: async () => (image = await ensureImage(site, { name: Config.Image, source, id })),
  };
  const create: Step = {
    title: `create and start ${name}`,
    run: () => forget(make(site, name, creationOf(container, image, definitions))),
    undo: { title: `remove ${name}`, run: () => removeIfThere(site, name) },
    commits: true,
  };
  return [have, ...(saved ? [setAside(site, container, name, saved)] : []), create];
}

async function make(site: Site, name: string, { body, joins }: Creation): Promise<void> {
  const query = `?name=${encodeURIComponent(name)}`;
  const path = `/containers/create${query}`;
  const { Id } = parseAnswer(made, await callDocker(site, "POST", path, body), `POST ${path}`);
  for (const { network, endpoint } of joins)
    await callDocker(site, "POST", `/networks/${encodeURIComponent(network)}/connect`, {
      Container: Id,
      EndpointConfig: endpoint,
    });
  await callDocker(site, "POST", `/containers/${Id}/start`);
}

async function removeIfThere(site: Site, name: string): Promise<void> {
  const { containers } = await takeInventory(site.shell);
  if (containers.some(hasName(name)))
    await callDocker(site, "DELETE", `/containers/${name}?force=1`);
}

/** The daemon must not start the old container, or two would want the same ports. */
function setAside(site: Site, { HostConfig }: Container, name: string, saved: string): Step {
  const post = (path: string, body?: unknown): Promise<unknown> =>
    callDocker(site, "POST", `/containers/${path}`, body);
  return {
    title: `stop ${name} and keep it as ${saved}`,
    run: async () => {
      await post(`${name}/stop?t=60`);
      await post(`${name}/update`, { RestartPolicy: { Name: "no" } });
      return forget(post(`${name}/rename?name=${saved}`));
    },
    undo: {
      title: `bring ${name} back`,
      run: async () => {
        const { containers } = await takeInventory(site.shell);
        if (containers.some(hasName(saved))) await post(`${saved}/rename?name=${name}`);
        await post(`${name}/update`, { RestartPolicy: HostConfig["RestartPolicy"] });
        await post(`${name}/start`);
      },
    },
  };
}

/** A container can share nothing with one that does not run. */
export const startStep = (site: Site, name: string, user: string): Step => ({
  title: `start ${name}, which ${user} refers to`,
  run: () => forget(callDocker(site, "POST", `/containers/${name}/start`)),
});

/** @param seconds until it has to run, and be healthy where it has a health check */
export function healthStep(site: Site, name: string, seconds: number): Step {
  return {
    title: `wait until ${name} runs, and is healthy if it can tell`,
    run: async () => {
      let state: ContainerState | undefined;
      const patience = { everyMs: 2_000, limitMs: seconds * 1000, now: site.now };
      const health = await poll(patience, async () => {
        const path = `/containers/${name}/json`;
        const answer = await callDocker(site, "GET", path);
        state = parseAnswer(inspected, answer, `GET ${path}`).State;
        return isSettled(state) ? healthOf(state) : undefined;
      });
      if (health !== undefined) return `runs, ${health}`;
      const why = state?.Running ? `is ${healthOf(state)}` : "does not run";
      throw new Error(`${name} ${why}: docker logs ${name}`);
    },
  };
}

const healthOf = ({ Health }: ContainerState): string => Health?.Status ?? "without a health check";

const isSettled = (state: ContainerState): boolean =>
  state.Running && !["starting", "unhealthy"].includes(healthOf(state));
