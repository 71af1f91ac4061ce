/** Headless Chromium over its debugging pipe. It reaches no other machine. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { ensurePrerequisites } from "../../lab/lib/prerequisites";

/** A library would bring dozens of packages; this needs one command at a time, and few commands. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

const FLAGS = [
  ...[
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
  ],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ...["--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"],
];

/** Ubuntu's package is a snap, but its CI machines have Chrome. */
async function browserProgram(log: (text: string) => void): Promise<string> {
  const folders = (process.env["PATH"] ?? "").split(":");
  const found = folders.map((one) => join(one, "google-chrome")).find((one) => existsSync(one));
  if (found) return found;
  await ensurePrerequisites([{ command: "chromium", package: "chromium" }], log);
  return "chromium";
}

/** One page of a browser of its own. */
export class Browser {
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #events: Message[] = [];
  #last = 0;
  #session?: string;
  #arrived = (): void => undefined;

  private constructor(
    private readonly process: ChildProcess,
    private readonly folder: string,
  ) {
    let rest = "";
    (process.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\0");
      rest = parts.pop() ?? "";
      for (const part of parts) this.#take(JSON.parse(part) as Message);
    });
  }

  static async open(log: (text: string) => void = () => undefined): Promise<Browser> {
    const program = await browserProgram(log);
    const folder = mkdtempSync(join(tmpdir(), "docker-node-browser-"));
    const args = [...FLAGS, `--user-data-dir=${folder}`];
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"] as const;
    // Chromium's lock has a folder of its own among the temporary ones, that it leaves when it is killed.
    const env = { ...process.env, TMPDIR: folder };
    const browser = new Browser(spawn(program, args, { stdio: [...stdio], env }), folder);
    const { targetId } = await browser.send<{ targetId: string }>("Target.createTarget", {
      url: "about:blank",
    });
    const attached = await browser.send<{ sessionId: string }>("Target.attachToTarget", {
      ...{ targetId, flatten: true },
    });
    browser.#session = attached.sessionId;
    await browser.send("Page.enable");
    await browser.send("Network.enable");
    return browser;
  }

  /** @throws Error with what the browser says */
  async send<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#last;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    const message = { id, method, params, sessionId: this.#session };
    (this.process.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  /** Opens a page; what it asked for, itself left out. */
  async visit(url: string): Promise<string[]> {
    this.#events.length = 0;
    await this.send("Page.navigate", { url });
    while (!this.#events.some(({ method }) => method === "Page.loadEventFired"))
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    return this.#events
      .filter(({ method }) => method === "Network.requestWillBeSent")
      .map(({ params }) => (params as { request: { url: string } }).request.url)
      .filter((asked) => asked !== url);
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const how = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send<{
      result: { value: T };
      exceptionDetails?: object;
    }>("Runtime.evaluate", how);
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill();
    await ended;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #take(message: Message): void {
    if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
    else this.#events.push(message);
    this.#arrived();
  }
}
