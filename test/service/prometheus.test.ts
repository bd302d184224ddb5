import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { buildChatBody } from "../support/chat-request.ts";
import {
  listExpressions,
  listPanels,
  parseNames,
  readDashboard,
  readRules,
  substitute,
} from "../support/deployed-queries.ts";
import { type MonitoredGateways, startMonitoredGateways } from "../support/monitored-gateways.ts";
import { startPostgres } from "../support/postgres.ts";
import { runPromtool } from "../support/prometheus.ts";
import { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { type Scrape, scrape } from "../support/scrape.ts";
import { waitUntil } from "../support/wait.ts";

const TIMEOUT_MS = 120_000;
/** Labels that Prometheus adds. */
const TARGET_LABELS = ["job", "instance", "namespace", "le"];

/** Creates a key with budgets and a rate limit. @returns its secret. */
async function createLimitedKey({ gateways, admin }: MonitoredGateways): Promise<string> {
  const { status, body } = await gateways[0]!.call({
    path: "/admin/v1/keys",
    headers: { authorization: `Bearer ${admin}` },
    body: JSON.stringify({
      name: "bob",
      limits: { requests_per_minute: 8, budgets: { day: { limit_usd: 0.5 }, total: { limit_usd: 50 } } },
    }),
  });
  expect([status, body.toString()]).toEqual([201, expect.any(String)]);
  return (JSON.parse(body.toString()) as { secret: string }).secret;
}

/** Sends requests of all kinds to both gateways: successes, streams, cancels, faults of upstream, and refusals. */
async function sendTraffic(monitored: MonitoredGateways, limited: string): Promise<void> {
  const bodies = [
    {},
    { stream: true },
    { model: "sim/error:status=500" },
    { model: "sim/error:status=429" },
    { model: 1 },
  ].map(buildChatBody);
  for (const { call, replica } of monitored.gateways) {
    for (const body of bodies) await call({ body });
    const broken = call({ body: buildChatBody({ model: "sim/cut", stream: true }) });
    await expect(broken).rejects.toThrow("the connection ended");
    await call({ headers: { authorization: "Bearer sk-slc-unknown" } });
    const headers = { authorization: `Bearer ${limited}` };
    // The worst case of the first request fits in the budgets, that of the second does not; later ones exceed the rate limit.
    const maxTokens = [10, 100_000_000, ...Array.from({ length: 8 }, () => 10)];
    for (const max_tokens of maxTokens) await call({ headers, body: buildChatBody({ max_tokens }) });
    const client = new RawClient(replica.port);
    client.post(
      "/openai/v1/chat/completions",
      buildChatBody({ model: "sim/ok:gapMs=200", stream: true }),
      headers,
    );
    await waitUntil(() => client.received.length > 0, "a stream");
    client.socket.destroy();
  }
}

/** Returns the names of metrics without the suffixes of their samples, as they are in `# TYPE` lines. */
const listMetrics = ({ text }: Scrape): string[] =>
  [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name).toSorted();

/** Checks the text of a scrape with promtool. @returns the complaints. */
async function lint(text: string): Promise<string[]> {
  const output = await runPromtool(["check", "metrics"], text).catch(
    (error: { stderr?: string; stdout?: string }) => `${error.stdout}${error.stderr}`,
  );
  return output.split("\n").filter((line) => line !== "");
}

/** Returns the panels of which no query has a sample. */
async function findEmptyPanels({ prometheus }: MonitoredGateways): Promise<string[]> {
  const empty: string[] = [];
  for (const { title, targets = [] } of listPanels()) {
    const results = await Promise.all(targets.map(({ expr }) => prometheus.query(substitute(expr))));
    if (results.every((samples) => samples.length === 0)) empty.push(title);
  }
  return empty;
}

/** Returns the expressions of the dashboard and the rules that Prometheus does not evaluate, with its error. */
async function findInvalidExpressions({ prometheus }: MonitoredGateways): Promise<string[]> {
  const errors: string[] = [];
  for (const { place, expr } of listExpressions())
    await prometheus.query(expr).catch((error: Error) => errors.push(`${place}: ${error.message}`));
  return errors;
}

/** Returns the recording rules that record nothing. */
async function findEmptyRecords({ prometheus }: MonitoredGateways): Promise<string[]> {
  const records = readRules().flatMap(({ record }) => (record === undefined ? [] : [record]));
  const results = await Promise.all(records.map(async (record) => prometheus.query(record)));
  return records.filter((_, index) => results[index]?.length === 0);
}

/** Returns the names in expressions of the dashboard and the rules that the gateways do not have. */
function findUnknownNames(scraped: Scrape): string[] {
  const metrics = new Set([...listMetrics(scraped), ...scraped.samples.map(({ name }) => name)]);
  const labels = new Set([
    ...TARGET_LABELS,
    ...scraped.samples.flatMap((sample) => Object.keys(sample.labels)),
  ]);
  return listExpressions().flatMap(({ place, expr }) => {
    const names = parseNames(expr);
    return [
      ...names.metrics.filter((name) => !metrics.has(name)),
      ...names.labels.filter((name) => !labels.has(name)),
    ].map((name) => `${place}: ${name}`);
  });
}

/** Returns the metrics in the tables of the page about monitoring, each once. */
function listDocumented(): string[] {
  const page = readFileSync("docs/operations/monitoring.md", "utf8");
  const cells = [...page.matchAll(/^\| (`sluice_.*?) \|/gm)].map(([, cell = ""]) => cell);
  const names = cells.flatMap((cell) => [...cell.matchAll(/`(sluice_\w+)`/g)].map(([, name = ""]) => name));
  return [...new Set(names)].toSorted();
}

async function startWithTraffic(): Promise<MonitoredGateways> {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.close());
  const redis = await startRedis();
  const monitored = await startMonitoredGateways(2, {
    DATABASE_URL: await postgres.createDatabase(),
    REDIS_URL: redis.url,
  });
  const limited = await createLimitedKey(monitored);
  // A counter that appears with its first event has no rate before a second one.
  await sendTraffic(monitored, limited);
  await waitForScrapes(monitored, 1);
  await sendTraffic(monitored, limited);
  // Values of the database are cached for 10 s.
  await waitForScrapes(monitored, 11);
  return monitored;
}

/** Waits for a scrape of each gateway that begins at least this long after now. */
async function waitForScrapes({ prometheus }: MonitoredGateways, delaySeconds: number): Promise<void> {
  const end = Date.now() / 1_000 + delaySeconds;
  const fresh = `count(timestamp(sluice_build_info) > ${end}) == 2`;
  await prometheus.waitForResult(fresh, "further scrapes", 30_000);
}

test(
  "every panel and every rule has an answer from two gateways under mixed load",
  async () => {
    const monitored = await startWithTraffic();
    const { prometheus, gateways } = monitored;
    const scraped = await scrape(gateways[0]!.metricsUrl);
    expect(await lint(scraped.text)).toEqual([]);
    expect(findUnknownNames(scraped)).toEqual([]);
    expect(listMetrics(scraped).filter((name) => name.startsWith("sluice_"))).toEqual(listDocumented());
    expect(await findInvalidExpressions(monitored)).toEqual([]);
    expect(await findEmptyPanels(monitored)).toEqual([]);
    expect(await prometheus.listFailedRules()).toEqual([]);
    expect(await findEmptyRecords(monitored)).toEqual([]);
    const models = await prometheus.query('count by (model) (sluice_requests_total{endpoint!="other"})');
    expect(models.map(({ metric }) => metric["model"])).toContain("openai/gpt-4o-mini");
    expect(readDashboard().templating.list.length).toBeGreaterThan(3);
  },
  TIMEOUT_MS,
);
