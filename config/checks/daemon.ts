import { canonical, overlaps } from "../cidr";
import { KEY_SINCE, type DaemonConfig } from "../daemon";
import type { NodeConfig } from "../schema";
import type { Check, Report } from "./report";

/* What no single key of daemon.json can tell: keys that exclude one another, versions, overlap. */

/** The three coherent sets are overlay2 with or without remap, and the containerd store without either. */
function checkImageStore({ engine }: NodeConfig, report: Report): void {
  const { daemon } = engine;
  if (daemon.features?.["containerd-snapshotter"] === true) {
    const path = "engine/daemon/features/containerd-snapshotter";
    if (daemon["userns-remap"]) {
      report(
        path,
        true,
        "false or unset with userns-remap: the containerd store cannot remap (moby#47377)",
      );
    } else if (daemon["storage-driver"]) {
      report(
        path,
        true,
        "false or unset with storage-driver: the containerd store has no graph driver",
      );
    }
  }
}

function checkStorageOptions({ machine, engine }: NodeConfig, report: Report): void {
  const { daemon } = engine;
  for (const option of daemon["storage-opts"] ?? []) {
    const path = "engine/daemon/storage-opts";
    const driver = daemon["storage-driver"] ?? "unset";
    if (!option.startsWith(`${driver}.`))
      report(path, option, `options of storage-driver ${driver}`);
    if (option.startsWith("overlay2.size=") && !machine.dockerDisk) {
      report(
        path,
        option,
        "overlay2.size only with machine.dockerDisk: it needs XFS with project quota",
      );
    }
  }
}

function checkDaemonValues({ engine }: NodeConfig, report: Report): void {
  const { daemon } = engine;
  const profile = daemon["seccomp-profile"];
  if (profile && !/^(builtin|unconfined|\/.+)$/.test(profile)) {
    report(
      "engine/daemon/seccomp-profile",
      profile,
      'unset or "builtin" (the default), or an absolute path',
    );
  }
  if (daemon["live-restore"] && daemon["firewall-backend"] === "nftables") {
    report(
      "engine/daemon/firewall-backend",
      "nftables",
      "iptables: nftables knows no DOCKER-USER chain",
    );
  }
  for (const [key, limit] of Object.entries(daemon["default-ulimits"] ?? {})) {
    const path = `engine/daemon/default-ulimits/${key}`;
    if (limit.Name !== key) report(`${path}/Name`, limit.Name, `"${key}", the key it stands under`);
    if (limit.Soft > limit.Hard) report(`${path}/Soft`, limit.Soft, `at most Hard, ${limit.Hard}`);
  }
}

function checkKeyVersions({ engine }: NodeConfig, report: Report): void {
  const major = Number(engine.version.split(".")[0]);
  for (const key of Object.keys(engine.daemon) as (keyof DaemonConfig)[]) {
    const since = KEY_SINCE[key];
    if (since && major < since) {
      report(
        `engine/daemon/${key}`,
        engine.daemon[key],
        `nothing before Docker ${since}; version is ${engine.version}`,
      );
    }
  }
}

/**
 * dockerd skips a pool's slot that is in use, so docker0 may sit inside a pool, but only when it fills
 * exactly one slot; anything else would let a later network claim addresses around it.
 */
function checkPools({ network, engine }: NodeConfig, report: Report): void {
  const { bip, "default-address-pools": pools = [] } = engine.daemon;
  const host = canonical(network.address);
  if (bip && overlaps(bip, host))
    report("engine/daemon/bip", bip, `an address outside ${host}, the node's network`);
  for (const [index, pool] of pools.entries()) {
    const path = `engine/daemon/default-address-pools/${index}`;
    const prefix = Number(pool.base.split("/")[1]);
    if (pool.size < prefix)
      report(`${path}/size`, pool.size, `${prefix} to 30: a subnet fits into ${pool.base}`);
    if (overlaps(pool.base, host))
      report(`${path}/base`, pool.base, `addresses outside ${host}, the node's network`);
    if (bip && overlaps(pool.base, bip) && Number(bip.split("/")[1]) !== pool.size) {
      report(
        "engine/daemon/bip",
        bip,
        `outside ${pool.base}, or exactly one of its /${pool.size} subnets`,
      );
    }
  }
}

/** Checks of `engine.daemon`. */
export const DAEMON_CHECKS: readonly Check[] = [
  checkImageStore,
  checkStorageOptions,
  checkDaemonValues,
  checkKeyVersions,
  checkPools,
];
