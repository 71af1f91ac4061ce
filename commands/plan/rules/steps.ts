/** Steps of `DockerHost` among the changes of a plan. */
import { nameResource } from "../../../config/names";
import { COMMAND } from "../../../config/resource-types";
import type { Change } from "../model";

/** Is it this step, which runs again on the machine it has run on? */
export function runsAgain({ type, node, name, action }: Change, step: string): boolean {
  return type === COMMAND && action === "update" && name === nameResource(node, step);
}
