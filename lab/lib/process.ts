/** Identity of a process on Linux. Process numbers are reused, so the number alone does not identify one. */
import * as fs from "node:fs";

/** Start time and boot tell two users of one process number apart; the command line is for people. */
export interface ProcessIdentity {
  pid: number;
  boot: string;
  startTime: string;
  command: string[];
}

interface Stat {
  state: string;
  group: number;
  startTime: string;
}

/** Reads the fields of `/proc/<pid>/stat` that are used here. Undefined if there is no such process. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is a name in parentheses that may hold anything, parentheses included.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", group: Number(fields[2]), startTime: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

/** A zombie has ended too; only its parent has not read its status. */
const hasEnded = (stat: Stat): boolean => stat.state === "Z" || stat.state === "X";

/** Identity of the process that has this number now. Undefined if none runs. */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (!stat || hasEnded(stat)) return undefined;
  try {
    return {
      pid,
      boot: fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      startTime: stat.startTime,
      command: fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1),
    };
  } catch {
    return undefined;
  }
}

/** Whether the process with this number is still the recorded one, with the same command line. */
export function isOurs(recorded: ProcessIdentity): boolean {
  const now = processIdentity(recorded.pid);
  return (
    now !== undefined &&
    now.boot === recorded.boot &&
    now.startTime === recorded.startTime &&
    JSON.stringify(now.command) === JSON.stringify(recorded.command)
  );
}

/** The live processes of a process group. */
export function groupMembers(group: number): number[] {
  const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    const stat = readStat(pid);
    return stat?.group === group && !hasEnded(stat);
  });
}

/** Signals every member of a process group. It is no error if the group has just ended. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
