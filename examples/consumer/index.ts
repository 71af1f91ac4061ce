import { workload } from "./workload";

/** Where the workload answers, on its network of the node. */
export const { container, url } = workload();
