import { declaredImages, isFrom } from "../images";
import type { NodeConfig } from "../schema";
import type { Downgrade, Weakness } from "./downgrade";

/* Images from a registry that the node's policy does not name. */

function foreignImages(node: NodeConfig): Weakness[] {
  const { registries } = node.images ?? {};
  if (!registries) return [];
  return declaredImages(node)
    .filter(({ image }) => !registries.some((one) => isFrom(one, image)))
    .map(({ path, image, container }) => ({ path, value: image, container }));
}

/** The rows, in the order of the page. */
export const IMAGE_DOWNGRADES: readonly Downgrade<NodeConfig>[] = [
  {
    id: "image-registry",
    allowed: "an image from one of images.registries",
    meaning: "Whoever controls that registry decides what the container is.",
    ofContainers: true,
    find: foreignImages,
  },
];
