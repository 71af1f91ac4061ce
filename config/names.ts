/** Logical names of resources. They are made here, and taken apart nowhere else. */

/** The name of a part of a node, such as `proj-docker02-vm`, or of one of its components. It is recorded in states, so it never changes. */
export const nameResource = (owner: string, part: string): string => `${owner}-${part}`;

/** Names the parts of one owner. */
export const namesOf =
  (owner: string) =>
  (part: string): string =>
    nameResource(owner, part);

/** The node of a resource, whose name ends with the part. */
export const nodeOfResource = (name: string, part: string): string =>
  name.slice(0, -nameResource("", part).length);
