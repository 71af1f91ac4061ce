/** Rules about Docker: the commands that install and configure it. */
import { variablesOf } from "../../../node/stdin";
import { daemonChange, type DaemonChange } from "../daemon-diff";
import type { Change } from "../model";
import type { Details, Rule } from "./rule";
import { runsAgain } from "./steps";

/** A rule about daemon.json, as far as it differs. */
function whenDaemonChanges(applies: (found: DaemonChange) => Details): Rule["applies"] {
  return (change) =>
    runsAgain(change, "daemon") ? applies(daemonChange(change.old, change.new)) : undefined;
}

export const DOCKER_RULES: readonly Rule[] = [
  {
    label: "hides-images-or-volumes",
    severity: "danger",
    explanation:
      "Docker moves to another layout: existing images, containers and volumes stay on disk but are not seen. Refused while there are any, unless confirmed.",
    applies: whenDaemonChanges(({ hiding }) => (hiding.length > 0 ? hiding : undefined)),
  },
  {
    label: "data-loss",
    severity: "danger",
    explanation: "Existing images, containers and volumes are out of reach afterwards.",
    applies: whenDaemonChanges(({ hiding, confirmed }) =>
      confirmed && hiding.length > 0 ? ["engine.confirm: hide-existing"] : undefined,
    ),
  },
  {
    label: "restarts-dockerd",
    severity: "caution",
    explanation: "dockerd restarts; containers run on where live-restore is on.",
    applies: whenDaemonChanges(({ effect, keys }) => (effect === "restart" ? keys : undefined)),
  },
  {
    label: "reloads-dockerd",
    severity: "info",
    explanation: "dockerd takes the change over while it runs.",
    applies: whenDaemonChanges(({ effect, keys }) => (effect === "reload" ? keys : undefined)),
  },
  {
    label: "upgrades-docker",
    severity: "caution",
    explanation:
      "Docker's packages change; dockerd restarts, containers run on under live-restore.",
    applies: (change: Change): Details => {
      if (!runsAgain(change, "install")) return undefined;
      const [old, now] = [variablesOf(change.old.stdin), variablesOf(change.new.stdin)];
      const differs = ["PACKAGE_SOURCE", "VERSION"].filter((name) => old[name] !== now[name]);
      return differs.length === 0
        ? undefined
        : differs.map((name) => `${old[name] ?? "unset"} → ${now[name] ?? "unset"}`);
    },
  },
];
