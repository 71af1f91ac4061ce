/*
 * Each unit of the hardening on a real node, off and on again by itself; what units do that nobody sees in a file; and the benchmark.
 * All of them together, logins and auditd are tried in secured.test.ts.
 */
import { ask } from "../../clients/process";
import type { Figures } from "../../commands/benchmark/report";
import { loadSettings } from "../../config/load";
import type { NodeConfig } from "../../config/schema";
import { UNITS } from "../../config/schema/hardening";
import { labConfig } from "../../lab/lib/config";
import { openInstance } from "../../lab/lib/instance";
import { bringUpLab } from "../../lab/lib/kept";
import { removeLab, type Lab } from "../../lab/lib/services";
import { cliEnv, openStack } from "../../lab/lib/stack";
import { renderScript } from "../../node/scripts";
import { hardeningStep } from "../../node/steps";
import { hardenedState } from "./hardened";
import { Life } from "./life";
import { type Shell, log, shellTo } from "./support";

jest.setTimeout(15 * 60_000);

const NODE = "proj-docker02";
const here = openInstance("hardening");
const life = new Life();
const { step } = life;

let lab: Lab;
let shell: Shell;
let hardened: string;
let noted: Record<string, string>;

/** Runs the step's script with these units on, as `up` does. */
async function harden(units: readonly string[]): Promise<void> {
  const node = loadSettings(labConfig(lab) as never).nodes[NODE] as NodeConfig;
  const { script, variables } = hardeningStep(node);
  await shell.root(renderScript(script, { ...variables, UNITS: units.join(" ") }));
}

/** The notes by which each unit can be undone: its name and their digest. */
async function notes(): Promise<Record<string, string>> {
  const lines = await shell.root(`cd ${NOTES}; sha256sum -- *`);
  return Object.fromEntries(
    lines.split("\n").map((line) => {
      const [digest = "", unit = ""] = line.split(/\s+/);
      return [unit, digest];
    }),
  );
}

const NOTES = "/var/lib/docker-node/hardening";

/** The notes of a unit, whole: from before the first hardening of this node. Empty for a unit without. */
const noteOf = (unit: string): Promise<string> =>
  shell.root(`cat ${NOTES}/${unit} 2>/dev/null || true`);

/** Lines of these notes that the node is not like, each with what it is like. What is gone since then, such as a NIC, is left out. */
const unlike = (note: string): Promise<string> =>
  shell.root(`
    states() { echo "$(systemctl is-enabled "$1" 2>/dev/null || true) $(systemctl is-active "$1" 2>/dev/null || true)"; }
    # auditd ends by a signal, in its own time.
    settled() { for try in $(seq 10); do [ "$(states "$1")" != "$2" ] || break; sleep 1; done; states "$1"; }
    while IFS=$'\t' read -r kind name value; do
      case $kind in
        "") continue ;;
        file) now=$([ ! -e "$name" ] || echo there) ;;
        value) now=$([ ! -e "$name" ] && echo "$value" || cat "$name") ;;
        mode) now=$([ ! -e "$name" ] && echo "$value" || stat -c 0%a "$name") ;;
        service) now=$(settled "$name" "$value") ;;
        *) now="no kind of note" ;;
      esac
      [ "$now" = "$value" ] || echo "$kind $name $value: $now"
    done <<'NOTE'
${note}
NOTE`);

beforeAll(async () => {
  await removeLab(here);
  lab = await bringUpLab(here, log);
  shell = await shellTo(lab, await openStack(lab), NODE);
});

afterAll(() => life.end(here));

const unitsBut = (...those: string[]): string[] => UNITS.filter((unit) => !those.includes(unit));

/** Units that have something to undo here. Docker itself loads its AppArmor profile. */
const NOTED = unitsBut("apparmor");
/** Units without which the node differs. The image's clock follows a time server without one. */
const CHANGES = unitsBut("apparmor", "time");

/** Stands for a package: the image has no service that no node needs. It does nothing, and lies where `mask` can hide it. */
const AVAHI = `
  install -d /usr/local/lib/systemd/system
  cat >/usr/local/lib/systemd/system/avahi-daemon.service <<'UNIT'
[Service]
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl enable --quiet --now avahi-daemon.service`;

step("a service that no node needs is stopped, and stays so", async () => {
  const states = "for what in enabled active; do systemctl is-$what avahi-daemon || true; done";
  await shell.root(AVAHI);
  expect(await shell.root(states)).toBe("enabled\nactive");
  await harden(UNITS);
  expect(await shell.root(states)).toBe("masked\ninactive");
  await expect(shell.root("systemctl start avahi-daemon")).rejects.toThrow(/masked/);
});

step("every unit but one has noted what there was before", async () => {
  hardened = await hardenedState(shell);
  noted = await notes();
  expect(Object.keys(noted).sort()).toEqual([...NOTED].sort());
});

// Each run turns one off, and the one before on again.
for (const unit of UNITS)
  step(`${unit} alone is off, and what it changed is as before`, async () => {
    const note = await noteOf(unit);
    // It tells what the unit has changed.
    if (CHANGES.includes(unit)) expect(await unlike(note)).not.toBe("");
    await harden(UNITS.filter((one) => one !== unit));
    expect(await unlike(note)).toBe("");
    const others = Object.entries(noted).filter(([one]) => one !== unit);
    expect(await notes()).toEqual(Object.fromEntries(others));
    expect((await hardenedState(shell)) === hardened).toBe(!CHANGES.includes(unit));
  });

step("all on again, the node is as it was", async () => {
  await harden(UNITS);
  expect(await hardenedState(shell)).toBe(hardened);
  // auditd's package stays when its unit is off, so there is something else before the unit now.
  expect(await notes()).toEqual({ ...noted, audit: expect.stringMatching(/^\w{64}$/) as string });
});

step("sudo logs what it ran, the clock asks for the time, and files have their modes", async () => {
  expect(await shell.root("grep -c 'COMMAND=.*bash' /var/log/sudo.log")).toMatch(/^[1-9]/);
  const clock = "systemctl is-active systemd-timesyncd; timedatectl show -p CanNTP --value";
  expect(await shell.root(clock)).toBe("active\nyes");
  const modes = await shell.root("stat -c '%a %U %n' /etc/passwd /etc/shadow /etc/ssh/sshd_config");
  expect(modes).toBe("644 root /etc/passwd\n640 root /etc/shadow\n600 root /etc/ssh/sshd_config");
});

interface Benchmark extends Omit<Figures, "checks"> {
  readonly unused: readonly unknown[];
  readonly checks: readonly { readonly state: string }[];
}

/** What the benchmark says of the node; its exit status first. */
async function benchmark(...options: string[]): Promise<[code: number | undefined, Benchmark]> {
  const args = ["docker-node", "benchmark", "--stack", "lab", "--json", ...options];
  const { code, stdout, stderr } = await ask({ program: "npx", args, env: cliEnv(lab) });
  log(stderr);
  return [code, JSON.parse(stdout) as Benchmark];
}

step("the benchmark leaves no warning, and no waiver is unused", async () => {
  const [code, { net, unused, checks }] = await benchmark();
  expect([code, net, unused]).toEqual([0, 0, []]);
  expect(checks.length).toBeGreaterThan(100);
});

// docker-bench-security is in no registry: whoever has it names its script.
const OFFICIAL = process.env.DOCKER_NODE_BENCH;
if (OFFICIAL)
  step("nor does the benchmark's own script", async () => {
    const [code, { raw, waived, net, checks }] = await benchmark("--script", OFFICIAL);
    log(`${checks.length} checks: ${raw} warn, ${waived} waived, ${net} left`);
    expect([code, net]).toEqual([0, 0]);
    expect(checks.length).toBeGreaterThan(100);
  });
