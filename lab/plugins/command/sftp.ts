/** The files of a remote host. */
import { posix } from "node:path";
import { promisify } from "node:util";
import type { Client, SFTPWrapper } from "ssh2";
import { messageOf } from "./operations";

type Kind = "directory" | "file" | "missing";

const NO_SUCH_FILE = 2;

/** What of sftp the copy needs, as promises; errors name the step and the path. */
export class Remote {
  private constructor(private readonly sftp: SFTPWrapper) {}

  static async open(client: Client): Promise<Remote> {
    const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
      client.sftp((error, opened) => {
        if (error) reject(error);
        else resolve(opened);
      });
    });
    return new Remote(sftp);
  }

  async findKind(path: string): Promise<Kind> {
    try {
      const stats = await promisify(this.sftp.stat.bind(this.sftp))(path);
      return stats.isDirectory() ? "directory" : "file";
    } catch (error) {
      if ((error as { code?: unknown }).code === NO_SUCH_FILE) return "missing";
      throw new Error(`failed to stat remote path ${path}: ${messageOf(error)}`, { cause: error });
    }
  }

  async makeDirectory(path: string): Promise<void> {
    const kind = await this.findKind(path);
    if (kind === "file") throw new Error(`remote path ${path} exists but is not a directory`);
    if (kind === "directory") return;
    const parent = posix.dirname(path);
    if (parent !== path) await this.makeDirectory(parent);
    await this.runStep(`create remote directory ${path}`, (done) => {
      this.sftp.mkdir(path, done);
    });
  }

  async writeText(path: string, text: string): Promise<void> {
    await this.runStep(`write text content to remote path ${path}`, (done) => {
      this.sftp.writeFile(path, text, done);
    });
  }

  async writeFile(path: string, from: string): Promise<void> {
    await this.runStep(`copy file ${from} to remote path ${path}`, (done) => {
      this.sftp.fastPut(from, path, done);
    });
  }

  private runStep(
    what: string,
    start: (done: (error?: Error | null) => void) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      start((error) => {
        if (error) reject(new Error(`failed to ${what}: ${error.message}`, { cause: error }));
        else resolve();
      });
    });
  }
}
