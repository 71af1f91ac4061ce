import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

type Answer = [status: number, body?: unknown];

/** One pull request behind as much of GitHub's REST API as the workflow's scripts use. */
export class Forge {
  readonly comments: { id: number; body: string; user: { login: string } }[] = [];
  labels: string[] = [];
  private readonly events: object[] = [];
  private readonly server: Server;

  constructor(private readonly pull: number) {
    this.server = createServer((request, response) => {
      void read(request).then((body) => {
        const [status, answer] = this.answer(request.method ?? "", request.url ?? "", body);
        response.writeHead(status).end(answer === undefined ? "" : JSON.stringify(answer));
      });
    });
  }

  async listen(): Promise<Record<string, string>> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    const { port } = this.server.address() as AddressInfo;
    return {
      GITHUB_API_URL: `http://127.0.0.1:${port}`,
      GITHUB_REPOSITORY: "platform/docker-node",
      GITHUB_TOKEN: "lab",
      PULL_REQUEST: String(this.pull),
    };
  }

  close(): void {
    this.server.close();
  }

  /** A person or a workflow adds a label. */
  label(name: string, type: "User" | "Bot"): void {
    this.labels.push(name);
    this.events.push({ event: "labeled", label: { name }, actor: { type } });
  }

  private answer(method: string, url: string, body: Record<string, unknown>): Answer {
    const [path = ""] = url.replace("/repos/platform/docker-node/issues/", "").split("?");
    const text = String(body.body);
    const routes: Record<string, () => Answer> = {
      [`GET ${this.pull}/comments`]: () => [200, this.comments],
      [`GET ${this.pull}/labels`]: () => [200, this.labels.map((name) => ({ name }))],
      [`GET ${this.pull}/events`]: () => [200, this.events],
      [`POST ${this.pull}/comments`]: () => [201, this.post(text)],
      [`POST ${this.pull}/labels`]: () => [200, this.add(body.labels as string[])],
      "PATCH comments/1": () => [200, Object.assign(this.comments[0] ?? {}, { body: text })],
    };
    if (method === "DELETE") return this.remove(decodeURIComponent(path.split("/")[2] ?? ""));
    return routes[`${method} ${path}`]?.() ?? [404, { message: `${method} ${path}` }];
  }

  private post(body: string): object {
    const comment = { id: this.comments.length + 1, body, user: { login: "github-actions[bot]" } };
    this.comments.push(comment);
    return comment;
  }

  private add(names: string[]): object[] {
    for (const name of names) this.label(name, "Bot");
    return this.labels.map((name) => ({ name }));
  }

  private remove(name: string): Answer {
    if (!this.labels.includes(name)) return [404, { message: "Label does not exist" }];
    this.labels = this.labels.filter((one) => one !== name);
    return [200, []];
  }
}

async function read(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}
