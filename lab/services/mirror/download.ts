/** One download that any number of clients can read while it is still coming in. */
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import * as fs from "node:fs";
import type { IncomingMessage } from "node:http";

const CHUNK = 64 * 1024;

export class Download {
  /** Settles when the whole file is on disk and in place, or could not be had. */
  readonly finished: Promise<void>;
  readonly length: number | undefined;
  /** Upstream's own date, or when the download began. */
  readonly modified: Date;

  private received = 0;
  private state: "running" | "complete" | "failed" = "running";
  private readonly progress = new EventEmitter().setMaxListeners(0);

  /**
   * @param response upstream's answer, status 200, body unread
   * @param file where the content collects at first
   * @param commit moves the finished file into place and says where that is
   * @param sha256 the hash the content must have, if known
   */
  constructor(
    private readonly response: IncomingMessage,
    private file: string,
    private readonly commit: (file: string, sha256: string) => string,
    private readonly sha256?: string,
  ) {
    const length = Number(response.headers["content-length"] ?? NaN);
    this.length = Number.isNaN(length) ? undefined : length;
    const date = Date.parse(response.headers["last-modified"] ?? "");
    this.modified = new Date(Number.isNaN(date) ? Math.floor(Date.now() / 1000) * 1000 : date);
    fs.closeSync(fs.openSync(file, "wx"));
    this.finished = this.receive();
    this.finished.catch(() => undefined); // readers learn of it by themselves
  }

  private async receive(): Promise<void> {
    try {
      const digest = await this.collect();
      if (this.length !== undefined && this.received !== this.length) {
        throw new Error(`${this.received} of ${this.length} bytes arrived`);
      }
      if (this.sha256 && this.sha256 !== digest) throw new Error(`content has SHA-256 ${digest}`);
      fs.utimesSync(this.file, this.modified, this.modified);
      this.file = this.commit(this.file, digest);
      this.state = "complete";
    } catch (error) {
      this.state = "failed";
      this.response.destroy();
      fs.rmSync(this.file, { force: true });
      throw error;
    } finally {
      this.progress.emit("change");
    }
  }

  /** Writes the body to the file as it arrives; returns its hash. */
  private async collect(): Promise<string> {
    const hash = createHash("sha256");
    const file = await fs.promises.open(this.file, "w");
    try {
      for await (const chunk of this.response as AsyncIterable<Buffer>) {
        await file.appendFile(chunk);
        hash.update(chunk);
        this.received += chunk.length;
        this.progress.emit("change");
      }
    } finally {
      await file.close();
    }
    return hash.digest("hex");
  }

  /** The content from its beginning, following the download; throws if that fails. */
  async *read(): AsyncGenerator<Buffer> {
    // Opened in the same turn as the name is looked up: `commit` cannot come between.
    const descriptor = fs.openSync(this.file, "r");
    try {
      for (let position = 0; ;) {
        // The last byte waits until the hash is checked, so that no client takes a bad file for a whole one.
        const held = this.state === "complete" ? 0 : 1;
        const wanted = Math.min(CHUNK, this.received - held - position);
        if (wanted > 0) {
          const buffer = Buffer.allocUnsafe(wanted);
          position += fs.readSync(descriptor, buffer, 0, wanted, position);
          yield buffer;
        } else if (this.state === "running") await once(this.progress, "change");
        else if (this.state === "complete") return;
        else throw new Error("upstream broke off");
      }
    } finally {
      fs.closeSync(descriptor);
    }
  }
}
