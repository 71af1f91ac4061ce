/** An image of workloads, pinned. */
export const IMAGE = `registry.example.org/platform/web:1.2@sha256:${"0f".repeat(32)}`;

/** A node with one workload, `web`, that has what `over` says and defaults otherwise. */
export const withWeb = (over: object = {}, node: object = {}): object => ({
  ...node,
  workloads: { web: { image: IMAGE, ...over } },
});

/** A network of production's node. */
export const NETWORK = "development-secondary";
