import { declaredImages, isFrom } from "../../config/images";
import { prodNode, prodWith, problems, waiver } from "../support/settings";

/** Where images may come from: names are compared as docker completes them. */

const DIGEST = `@sha256:${"0".repeat(64)}`;

test.each<[registry: string, image: string, is: boolean]>([
  ["docker.io", "docker.io/portainer/agent:2.39.1", true],
  ["docker.io", "portainer/agent:2.39.1", true],
  ["docker.io", "nginx:1.29", true],
  ["docker.io/library", "nginx:1.29", true],
  ["docker.io/portainer", "portainer/agent:2.39.1", true],
  ["docker.io/portainer", "portainer-evil/agent:2.39.1", false],
  ["docker.io/portainer", "evil.example.org/portainer/agent:2.39.1", false],
  ["registry.example.org", "registry.example.org/a/b/c:1", true],
  ["registry.example.org", "registry.example.org:5000/a:1", false],
  ["registry.example.org", "registry.example.org.evil.net/a:1", false],
  ["registry.example.org:5000/a", "registry.example.org:5000/a/b:1", true],
  ["registry.example.org/a/b", "registry.example.org/a/b:1", true],
  ["localhost/a", "localhost/a/b:1", true],
])("%s, %s: %s", (registry, image, is) => {
  expect(isFrom(registry, `${image}${DIGEST}`)).toBe(is);
});

test("every image of a node is looked at", () => {
  expect(declaredImages(prodNode()).map(({ path, container }) => [path, container])).toEqual([
    ["portainer/agent/image", "portainer_agent"],
    ["backups/image", "docker_node_backup"],
    ["monitoring/cadvisor/image", "docker_node_cadvisor"],
    ["monitoring/cadvisor/proxy/image", "docker_node_socket_proxy"],
  ]);
  const bare = prodNode({ portainer: null, backups: null, monitoring: null });
  expect(declaredImages(bare)).toEqual([]);
});

describe("an image from elsewhere", () => {
  const image = `evil.example.org/portainer/agent:2.39.1${DIGEST}`;
  const declared = prodWith({ portainer: { agent: { image } } });

  test("is refused by its field, with what is allowed", () => {
    expect(problems(declared)).toEqual([
      `nodes.proj-docker02.portainer.agent.image: "${image}"; allowed: an image from one of images.registries; or a waiver with id image-registry (docker-node:waivers; docs/reference/security.md)`,
    ]);
  });

  test("is refused of cAdvisor and of a workload too", () => {
    const cadvisor = `evil.example.org/cadvisor:v0.60.5${DIGEST}`;
    const web = `evil.example.org/web:1${DIGEST}`;
    const both = prodWith({
      monitoring: { cadvisor: { image: cadvisor } },
      workloads: { web: { image: web } },
    });
    expect(problems(both).map((line) => line.split(";")[0])).toEqual([
      `nodes.proj-docker02.monitoring.cadvisor.image: "${cadvisor}"`,
      `nodes.proj-docker02.workloads.web.image: "${web}"`,
    ]);
  });

  test("is let through by a waiver, of its own container alone", () => {
    const of = (container: string): string[] =>
      problems({ ...declared, waivers: [waiver("image-registry", { container })] });
    expect(of("portainer_agent")).toEqual([]);
    expect(of("docker_node_backup")[0]).toContain("portainer.agent.image");
  });

  test("is any image's right without a policy, which takes a waiver of its own", () => {
    const free = prodWith({ images: { registries: null }, portainer: { agent: { image } } });
    expect(problems(free)).toEqual([
      "nodes.proj-docker02.images.registries: missing; allowed: the registries that images may come from, such as [docker.io/portainer]; or a waiver with id image-registry-any (docker-node:waivers; docs/reference/security.md)",
    ]);
    expect(problems({ ...free, waivers: [waiver("image-registry-any")] })).toEqual([]);
  });
});
