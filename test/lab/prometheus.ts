/**
 * Prometheus and Alertmanager on the lab's host, configured as the guide says. They read a node through the lab's switch, past the
 * firewall of its NIC.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { stringify } from "yaml";
import { ensurePrometheus, withItsFiles } from "../../lab/lib/prometheus";
import { getPort } from "../../lab/lib/ports";
import { startService, stopService } from "../../lab/lib/service";
import type { Lab } from "../../lab/lib/services";
import type { Tree } from "../../config/tree";
import { yamlBlock } from "../support/documents";
import { rules } from "../support/monitoring";
import { log } from "./support";

/** Groups of targets, as the stack's output has them (file_sd_config). */
type Targets = readonly { readonly targets: readonly string[]; readonly labels: object }[];

interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: "up" | "down" | "unknown";
  readonly lastError: string;
}

/** What a query finds: labels, and a value with its time. */
interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** The contract's rules without their `for`: what is wrong is told at the next evaluation. */
function impatientRules(): string {
  const impatient = rules.map((rule) => ({ ...rule, for: undefined }));
  return stringify({ groups: [{ name: "docker-node", rules: impatient }] });
}

const guided = (key: string): Tree => yamlBlock("docs/how-to/monitor-a-node.md", key);

/** Between two looks at a target, and for an answer: an emulated node takes its time. */
const EVERY = "15s";

export class Prometheus {
  private readonly folder: string;
  /** Where Prometheus answers, once it is started. */
  url = "";
  private alertsUrl = "";

  constructor(private readonly lab: Lab) {
    this.folder = join(lab.instance.stateDir, "prometheus");
  }

  /** Starts both. `targets` is the stack's output as it is; the lab's forwarded ports stand for a node's address. */
  async start(targets: Targets): Promise<void> {
    const bin = await ensurePrometheus(log);
    mkdirSync(this.folder, { recursive: true });
    this.writeTargets(targets);
    writeFileSync(join(this.folder, "alerts.yml"), impatientRules());
    const route = { route: { receiver: "none", group_wait: "1s" }, receivers: [{ name: "none" }] };
    const alertmanager = await this.startOne(join(bin, "prometheus-alertmanager"), route, [
      "--cluster.listen-address=",
      `--storage.path=${join(this.folder, "alertmanager")}`,
    ]);
    this.alertsUrl = alertmanager;
    this.url = await this.startOne(join(bin, "prometheus"), this.settings(alertmanager), [
      `--storage.tsdb.path=${join(this.folder, "data")}`,
    ]);
  }

  writeTargets(targets: Targets): void {
    writeFileSync(join(this.folder, "docker-nodes.json"), JSON.stringify(targets));
  }

  private async startOne(program: string, settings: object, own: string[]): Promise<string> {
    const { stateDir } = this.lab.instance;
    const name = basename(program);
    const port = await getPort(stateDir, name);
    const file = join(this.folder, `${name}.yml`);
    writeFileSync(file, stringify(settings).replaceAll("/etc/prometheus/", `${this.folder}/`));
    const [command = "", ...args] = withItsFiles(program, [
      ...[`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`],
      ...own,
    ]);
    const ready = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${port}/-/ready`)).status === 200;
    await startService({ name, command, args, stateDir, port, ready, timeoutMs: 120_000 }, log);
    return `http://127.0.0.1:${port}`;
  }

  /** The guide's blocks, their files in the folder here, with what a lab has of its own. */
  private settings(alertmanager: string): object {
    const { scrape_configs, rule_files } = { ...guided("scrape_configs"), ...guided("rule_files") };
    const jobs = (scrape_configs as Tree[]).map((job) => ({
      ...job,
      relabel_configs: this.forwarded(),
    }));
    const managers = [{ static_configs: [{ targets: [new URL(alertmanager).host] }] }];
    return {
      global: { scrape_interval: EVERY, scrape_timeout: EVERY, evaluation_interval: EVERY },
      alerting: { alertmanagers: managers },
      rule_files,
      scrape_configs: jobs,
    };
  }

  /** Rules that give the node's ports as this machine reaches them. */
  private forwarded(): object[] {
    return Object.entries(this.lab.forwards["2019"] ?? {}).map(([measures, port]) => ({
      source_labels: ["measures"],
      regex: measures,
      target_label: "__address__",
      replacement: `127.0.0.1:${port}`,
    }));
  }

  async targets(): Promise<Target[]> {
    const { activeTargets } = await this.ask<{ activeTargets: Target[] }>("targets");
    return activeTargets;
  }

  async query(expr: string): Promise<Sample[]> {
    const { result } = await this.ask<{ result: Sample[] }>("query", { query: expr });
    return result;
  }

  /** Which of these queries find nothing. */
  async findingNothing(queries: readonly string[]): Promise<string[]> {
    const found = await Promise.all(
      queries.map(async (expr) => ((await this.query(expr)).length > 0 ? [] : [expr])),
    );
    return found.flat();
  }

  /** Labels of an alert that Alertmanager was told of and that has not ended, one for each cause. */
  async alerts(name: string): Promise<Readonly<Record<string, string>>[]> {
    const filter = new URLSearchParams({ active: "true", filter: `alertname="${name}"` });
    const answer = await fetch(`${this.alertsUrl}/api/v2/alerts?${filter.toString()}`);
    return ((await answer.json()) as { labels: Record<string, string> }[]).map(
      ({ labels }) => labels,
    );
  }

  private async ask<T>(what: string, query: Record<string, string> = {}): Promise<T> {
    const answer = await fetch(
      `${this.url}/api/v1/${what}?${new URLSearchParams(query).toString()}`,
    );
    const { status, data, error } = (await answer.json()) as {
      status: string;
      data: T;
      error?: string;
    };
    if (status !== "success") throw new Error(`${what}: ${error ?? status}`);
    return data;
  }

  async stop(): Promise<void> {
    for (const name of ["prometheus", "prometheus-alertmanager"])
      await stopService(this.lab.instance.stateDir, name);
  }
}
