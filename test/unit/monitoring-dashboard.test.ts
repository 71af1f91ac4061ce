import { read } from "../support/documents";
import { dashboard, drawn, metricsIn, queries, rules, type Panel } from "../support/monitoring";

/** `contract/monitoring/dashboard.json`, and that every query, of alerts too, names metrics that the exporters have. */

/** Metrics that exporters tell, and those that the program writes itself. */
const known = new Set([
  "up",
  ...["node-exporter", "cadvisor", "docker"].flatMap((exporter) =>
    read(`test/fixtures/monitoring/${exporter}.txt`).trim().split("\n"),
  ),
  ...ownMetrics(),
]);

/** What node/monitoring/ and node/backup/ write, by the names in them. */
function ownMetrics(): string[] {
  const named = (path: string, pattern: RegExp): string[] =>
    [...read(path).matchAll(pattern)].map(([, name = ""]) => name);
  return [
    ...named("node/monitoring/health.sh", /^ +metric (\w+) "/gm),
    ...named("node/monitoring/drift.sh", /^metric\("(\w+)"/gm),
    ...named("node/backup/metrics.jq", /^metric\("(\w+)"/gm).map((name) => `backup_${name}`),
  ].map((name) => `docker_node_${name}`);
}

test("the names of metrics are found in a query", () => {
  expect(metricsIn('1 - avg by (node) (rate(node_cpu{mode="idle"}[5m])) > 0.8 or up')).toEqual([
    "node_cpu",
    "up",
  ]);
});

test("every query names metrics that are there", () => {
  expect(queries.length).toBeGreaterThan(15);
  const named = [...queries, ...rules.map(({ expr }) => expr)].map(
    (expr) => [expr, metricsIn(expr)] as const,
  );
  expect(named.filter(([, names]) => names.length === 0)).toEqual([]);
  expect(named.flatMap(([, names]) => names.filter((name) => !known.has(name)))).toEqual([]);
});

test("Grafana finds what it needs", () => {
  expect(dashboard).toMatchObject({ uid: "docker-node", title: "Docker nodes" });
  expect(dashboard.schemaVersion).toBeGreaterThan(30);
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "node"]);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  for (const { title, datasource, targets = [] } of drawn) {
    expect(title).not.toBe("");
    expect(datasource?.uid).toBe("${datasource}");
    expect(targets.length).toBeGreaterThan(0);
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  }
});

test("a node that was chosen is the only one in every query", () => {
  expect(queries.filter((expr) => !expr.includes('node=~"$node"'))).toEqual([]);
});

test("panels lie side by side, and none over another", () => {
  const overlap = (a: Panel["gridPos"], b: Panel["gridPos"]): boolean =>
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
  for (const [index, { gridPos }] of dashboard.panels.entries()) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    const over = dashboard.panels.slice(index + 1).filter((one) => overlap(gridPos, one.gridPos));
    expect(over).toEqual([]);
  }
});
