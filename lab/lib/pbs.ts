/**
 * The lab's backup server (`lab/pbs/`): a stand-in for Proxmox Backup Server that speaks its documented protocol,
 * and the client's programs. It keeps everything below `<stateDir>/pbs`.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { buildOnce, cacheDir, contentHash } from "./cache";
import type { Credentials } from "./instance";
import {
  pbsLogins,
  pbsSettings,
  type PbsLogin,
  type PbsLogins,
  type PbsSettings,
} from "./pbs-settings";
import { getPort } from "./ports";
import { buildGo } from "./run";
import { runningService, startService, stopService, type Log } from "./service";

const MODULE = path.join(__dirname, "../pbs");
const PROGRAMS = ["proxmox-backup-client", "pxar", "pbs-server"];
const NAME = "pbs";

/** The running server. */
export interface PbsServer {
  /** Loopback port. */
  readonly port: number;
  readonly pid: number;
  /** SHA-256 of the certificate, 32 pairs of hexadecimal digits. */
  readonly fingerprint: string;
  /** Directory with `proxmox-backup-client` and `pxar`: static programs that run on any Linux. */
  readonly clientDir: string;
  /** May be rewritten, as to expire a token: see {@link changePbs}. */
  readonly settingsFile: string;
}

/** A server and its access tokens. */
export interface PbsAccess extends PbsServer, PbsLogins {
  /** In the guests' network. */
  readonly address: string;
  /** Keyfile of client-side encryption. */
  readonly keyFile: string;
}

/** The programs, built once; half a minute the first time. */
export async function getPbsPrograms(log: Log): Promise<string> {
  return buildOnce(cacheDir("pbs", contentHash([MODULE])), async (into) => {
    log("pbs: building the backup server and its client, once");
    for (const program of PROGRAMS)
      await buildGo(MODULE, `./cmd/${program}`, path.join(into, program));
  });
}

const rootOf = (stateDir: string): string => path.join(stateDir, NAME);
const settingsOf = (stateDir: string): string => path.join(rootOf(stateDir), "settings.json");

function writePrivate(file: string, text: string): void {
  fs.writeFileSync(`${file}.new`, text, { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
}

/** Rewrites a server's settings. They apply from its next request on. */
export function changePbs(settingsFile: string, change: (settings: PbsSettings) => void): void {
  const settings = JSON.parse(fs.readFileSync(settingsFile, "utf8")) as PbsSettings;
  change(settings);
  writePrivate(settingsFile, JSON.stringify(settings, null, 1));
}

/** Starts a server with these settings, or finds it running and gives it these settings. */
export async function startPbsServer(
  o: { stateDir: string; settings: (root: string, port: number) => PbsSettings },
  log: Log,
): Promise<PbsServer> {
  const { stateDir } = o;
  const clientDir = await getPbsPrograms(log);
  const port = await getPort(stateDir, NAME);
  fs.mkdirSync(rootOf(stateDir), { recursive: true, mode: 0o700 });
  const settings = o.settings(rootOf(stateDir), port);
  if (!runningService(stateDir, NAME)) fs.rmSync(settings.ready, { force: true });
  const settingsFile = settingsOf(stateDir);
  writePrivate(settingsFile, JSON.stringify(settings, null, 1));
  const command = path.join(clientDir, "pbs-server");
  const isReady = (): Promise<boolean> => Promise.resolve(fs.existsSync(settings.ready));
  const args = ["serve", settingsFile];
  const service = await startService(
    { name: NAME, command, args, stateDir, port, ready: isReady },
    log,
  );
  const written = JSON.parse(fs.readFileSync(settings.ready, "utf8")) as { fingerprint: string };
  return { ...service, fingerprint: written.fingerprint, clientDir, settingsFile };
}

/** Starts the lab's server, or finds it running. */
export async function startPbs(
  o: { stateDir: string; credentials: Credentials; address: string },
  log: Log,
): Promise<PbsAccess> {
  const logins = pbsLogins(o.credentials.pbs);
  const makeSettings = (root: string, port: number): PbsSettings => pbsSettings(root, port, logins);
  const server = await startPbsServer({ stateDir: o.stateDir, settings: makeSettings }, log);
  const keyFile = path.join(rootOf(o.stateDir), "encryption-key.json");
  writePrivate(keyFile, o.credentials.backupKey);
  return { ...server, ...logins, address: o.address, keyFile };
}

/** Stops the server of a state directory. Its data stays. */
export async function stopPbs(stateDir: string): Promise<void> {
  await stopService(stateDir, NAME);
}

/** Environment of `proxmox-backup-client` on this machine, for a datastore. */
export function pbsEnv(
  server: Pick<PbsServer, "port" | "fingerprint">,
  login: PbsLogin,
  store: string,
): Record<string, string> {
  return {
    PBS_REPOSITORY: `${login.id}@127.0.0.1:${server.port}:${store}`,
    PBS_PASSWORD: login.secret,
    PBS_FINGERPRINT: server.fingerprint,
  };
}
