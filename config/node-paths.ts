/** Folders of a node that more than one file names. */

/** Where Docker keeps its data unless `data-root` says otherwise. */
export const DATA_ROOT = "/var/lib/docker";

/** What the program keeps on a node. No workload may mount it: its secrets are below. */
export const OWN_FOLDER = "/var/lib/docker-node";

/** Secrets of containers, in a folder for each. */
export const SECRETS_FOLDER = `${OWN_FOLDER}/secrets`;
