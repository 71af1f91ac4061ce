/** The mirror's cache on disk, and how it is filled. */
import * as fs from "node:fs";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import * as path from "node:path";

import { Download } from "./download";
import { promisedHash, type Archive, type ArchiveFile } from "./rules";
import { get, UpstreamError } from "./upstream";

/** The result of a lookup: a file on disk, a running download, or a refusal of the upstream server. */
export type Found =
  | { kind: "file"; file: string; from: "hit" | "miss" | "revalidated" | "stale" }
  | { kind: "download"; download: Download }
  | { kind: "refused"; status: number };

/** Upstream's validators (ETag, date). Only mutable files have them. */
interface Validators {
  lastModified?: string | undefined;
  etag?: string | undefined;
}

export class Store {
  private readonly running = new Map<string, Promise<Found>>();
  private count = 0;

  constructor(
    private readonly root: string,
    private readonly upstreams: Record<Archive, string>,
  ) {
    const temporary = path.join(root, "tmp");
    fs.mkdirSync(temporary, { recursive: true });
    for (const name of fs.readdirSync(temporary)) {
      const owner = name.split("-")[0] as string;
      if (!fs.existsSync(`/proc/${owner}`)) fs.rmSync(path.join(temporary, name), { force: true });
    }
  }

  /** Finds a file. Requests for the same file share one download. */
  async find(wanted: ArchiveFile): Promise<Found> {
    const file = this.place("data", wanted);
    if (wanted.immutable && fs.existsSync(file)) return { kind: "file", file, from: "hit" };
    const shared = this.running.get(file);
    if (shared) return shared;
    const lookup = this.fetch(wanted, file);
    this.running.set(file, lookup);
    const forget = (): void => void this.running.delete(file);
    lookup.then((found) => {
      if (found.kind === "download") found.download.finished.then(forget, forget);
      else forget();
    }, forget);
    return lookup;
  }

  private place(tree: "data" | "validators", wanted: ArchiveFile): string {
    const host = new URL(this.upstreams[wanted.archive]).host;
    return path.join(this.root, host, tree, wanted.archive, wanted.path);
  }

  private readValidators(wanted: ArchiveFile): Validators {
    try {
      return JSON.parse(fs.readFileSync(this.place("validators", wanted), "utf8")) as Validators;
    } catch {
      return {};
    }
  }

  /** Asks upstream. If upstream cannot be reached, a kept copy of a mutable file is used instead. */
  private async fetch(wanted: ArchiveFile, file: string): Promise<Found> {
    const kept = fs.existsSync(file);
    try {
      const found = await this.ask(wanted, file, kept);
      // A mutable file is sent with its own date and only when complete, so that apt can compare.
      if (found.kind !== "download" || wanted.immutable) return found;
      await found.download.finished;
      return { kind: "file", file, from: "miss" };
    } catch (error) {
      if (!kept) throw error;
      return { kind: "file", file, from: "stale" };
    }
  }

  private async ask(wanted: ArchiveFile, file: string, kept: boolean): Promise<Found> {
    const { lastModified, etag } = kept ? this.readValidators(wanted) : {};
    const headers: OutgoingHttpHeaders = {};
    if (lastModified) headers["If-Modified-Since"] = lastModified;
    if (etag) headers["If-None-Match"] = etag;
    const base = this.upstreams[wanted.archive];
    const response = await get(base, wanted.path, headers);
    const status = response.statusCode ?? 0;
    if (status === 304 && kept) {
      response.resume();
      return { kind: "file", file, from: "revalidated" };
    }
    if (status === 200)
      return { kind: "download", download: this.download(wanted, file, response) };
    if (status === 404 || status === 410) return { kind: "refused", status: 404 };
    throw new UpstreamError(new URL(base), `status ${status} for ${wanted.path}`);
  }

  private download(wanted: ArchiveFile, file: string, response: IncomingMessage): Download {
    const temporary = path.join(this.root, "tmp", `${process.pid}-${this.count++}`);
    const commit = (complete: string): string => {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      if (!wanted.immutable) this.replace(wanted, file, complete, response);
      else fs.renameSync(complete, file);
      return file;
    };
    return new Download(response, temporary, commit, promisedHash(wanted.path));
  }

  /** Puts a new version in place. The validators are removed first and written last, so they never describe another file. */
  private replace(
    wanted: ArchiveFile,
    file: string,
    complete: string,
    from: IncomingMessage,
  ): void {
    const { "last-modified": lastModified, etag } = from.headers;
    const validators = this.place("validators", wanted);
    fs.rmSync(validators, { force: true });
    // Without a date from upstream, the same bytes keep the date they had: clients can still compare.
    if (!lastModified && sameContent(file, complete)) fs.rmSync(complete);
    else fs.renameSync(complete, file);
    if (!lastModified && !etag) return;
    fs.mkdirSync(path.dirname(validators), { recursive: true });
    fs.writeFileSync(validators, JSON.stringify({ lastModified, etag }));
  }
}

/** Whether both files exist with the same bytes. Only for indices, which have some megabytes at most. */
function sameContent(one: string, other: string): boolean {
  if (!fs.existsSync(one) || fs.statSync(one).size !== fs.statSync(other).size) return false;
  return fs.readFileSync(one).equals(fs.readFileSync(other));
}
