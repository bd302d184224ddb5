// Measures for how long each query of the admin API blocks the event loop of a gateway with a large ledger in SQLite.
import { once } from "node:events";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { DAY_MS, HOUR_MS } from "../../src/durations.ts";
import { loadConfig } from "../../src/config/config.ts";
import { startGateway } from "../../src/gateway.ts";
import { createLogger } from "../../src/observability/logger.ts";
import type { AdminQueryResult, AdminQuery } from "./admin-client.ts";
import { ADMIN_SECRET, BUSY_KEY, CALLER_SECRET, fillDatabase, RARE_KEY } from "./admin-database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

const USAGE = `usage: npm run bench:admin -- [options]
  --rows <n>      rows of the ledger (default 2000000)
  --only <text>   run only queries whose name contains this text`;
const BUDGET_MS = 50;
const TICK_MS = 1;
const DIMENSIONS = ["key", "model", "provider", "day"] as const;

interface Query {
  readonly name: string;
  readonly path: string;
  readonly asCaller?: boolean;
}

interface Result {
  readonly result: AdminQueryResult;
  readonly blocked: Blocked;
}

/** The longest time between two ticks of the event loop, in ms. */
interface Blocked {
  /** CPU time of the main thread. The budget limits this time, because other processes do not affect it. */
  readonly cpuMs: number;
  /** Elapsed time, including waits for the disk and for a processor. */
  readonly wallMs: number;
}

/** Measures how long the event loop is blocked. @returns a function that ends the measurement. */
function watchLoop(): () => Blocked {
  const cpuNow = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  let [cpu, wall] = [cpuNow(), performance.now()];
  let blocked: Blocked = { cpuMs: 0, wallMs: 0 };
  const tick = (): void => {
    const [nextCpu, nextWall] = [cpuNow(), performance.now()];
    blocked = {
      cpuMs: Math.max(blocked.cpuMs, nextCpu - cpu),
      wallMs: Math.max(blocked.wallMs, nextWall - wall),
    };
    [cpu, wall] = [nextCpu, nextWall];
  };
  const timer = setInterval(tick, TICK_MS);
  return () => {
    tick();
    clearInterval(timer);
    return blocked;
  };
}

/** Searches for requests, few of which match. @param ever the query parameter that selects all rows. */
function listSearches(ever: string): Query[] {
  const searches = [
    ["failed", "failed=true"],
    ["status", "status=429"],
    ["model of no request", "model=nobody/none"],
    ["model of all requests", "model=openai/gpt-4o-mini"],
    ["provider and key", `provider=nobody&key=${BUSY_KEY}`],
    ["request id", "search=req-none"],
    ["generation id", "search=gen-none"],
  ].flatMap(([name, query]) =>
    [`limit=100&order=desc`, ...(name === "failed" ? ["limit=5000&order=desc", "format=csv"] : [])].map(
      (page) => ({
        name: `search: ${name}, ${page.split("&")[0]}`,
        path: `/admin/v1/requests?${ever}&${query}&${page}`,
      }),
    ),
  );
  return searches;
}

/** The longest series of each step, by each dimension. */
function listSeriesQueries(now: number): Query[] {
  const lengthsMs = { minute: 3 * HOUR_MS, hour: 31 * DAY_MS, day: 400 * DAY_MS };
  return Object.entries(lengthsMs).flatMap(([step, ms]) =>
    ["", "key", "group", "model", "provider", "endpoint"].map((by) => {
      const from = new Date(now - ms).toISOString();
      const path = `/admin/v1/timeseries?step=${step}&from=${from}&to=${new Date(now).toISOString()}${by && `&by=${by}&series=20`}`;
      return { name: `series by ${step}${by && `, ${by}`}`, path };
    }),
  );
}

function listQueries(now: number): Query[] {
  const hour = now - (now % 3_600_000);
  const day = (days: number): string => new Date(hour - days * 86_400_000).toISOString();
  const ever = `from=${day(401)}`;
  const usage = Array.from({ length: 15 }, (_, bits) =>
    DIMENSIONS.filter((_dimension, at) => (bits + 1) & (1 << at)),
  ).map((by) => ({ name: `usage by ${by.join(",")}`, path: `/admin/v1/usage?by=${by.join(",")}&${ever}` }));
  const exports = [
    ...["json", "ndjson", "csv"].map((format) => [
      `busy key as ${format}`,
      `key=${BUSY_KEY}&format=${format}`,
    ]),
    ["rare key", `key=${RARE_KEY}`],
    ...["open", "pending", "unknown", "settled"].map((state) => [`state ${state}`, `state=${state}`]),
    ["rare key, unknown", `key=${RARE_KEY}&state=unknown`],
    ["busy key, unknown", `key=${BUSY_KEY}&state=unknown`],
    ["busy key, settled", `key=${BUSY_KEY}&state=settled`],
    ["key of no request", "key=env:nobody"],
    ["one day", `to=${day(200)}&from=${day(201)}`],
  ].map(([name, query]) => ({
    name: `export: ${name}`,
    path: `/admin/v1/requests?${query?.includes("from") ? "" : `${ever}&`}${query}`,
  }));
  return [
    { name: "one request", path: "/admin/v1/requests/latest" },
    { name: "page of 100", path: `/admin/v1/requests?${ever}&limit=100&order=desc` },
    ...listSearches(ever),
    { name: "keys", path: "/admin/v1/keys?limit=500" },
    { name: "keys of an owner", path: "/admin/v1/keys?owner=nobody" },
    {
      name: "keys with budgets and spend",
      path: "/admin/v1/keys?limit=500&include_budgets=true&include_spend=true",
    },
    { name: "keys found by a search", path: "/admin/v1/keys?limit=500&search=IDLE_00" },
    { name: "keys by a search without a result", path: "/admin/v1/keys?search=nobody" },
    { name: "keys that may use a model", path: "/admin/v1/keys?model=other/model" },
    { name: "keys that may use a vendor's model", path: "/admin/v1/keys?limit=500&model=vendor-a/model" },
    { name: "audit", path: "/admin/v1/audit?limit=500" },
    { name: "audit of a key without entries", path: `/admin/v1/audit?key=${RARE_KEY}` },
    { name: "alerts", path: "/admin/v1/alerts?limit=500" },
    { name: "health", path: "/admin/v1/health" },
    { name: "configuration", path: "/admin/v1/configuration" },
    { name: "models, first fetch of the list", path: "/admin/v1/models" },
    { name: "models", path: "/admin/v1/models" },
    { name: "models of a key", path: `/admin/v1/models?key=${BUSY_KEY}&search=model-1` },
    { name: "usage of the caller's key", path: "/openai/v1/key", asCaller: true },
    ...usage,
    { name: "usage by key and model, limit", path: `/admin/v1/usage?by=key,model&limit=10&${ever}` },
    ...listSeriesQueries(now),
    { name: "failures of a day", path: "/admin/v1/failures" },
    { name: "failures ever", path: `/admin/v1/failures?${ever}` },
    { name: "usage of a key by day", path: `/admin/v1/usage?by=day&key=${BUSY_KEY}&${ever}` },
    ...exports,
  ];
}

async function measure(url: string, secret: string, client: Worker): Promise<Result> {
  const stop = watchLoop();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no target origin
  client.postMessage({ url, secret } satisfies AdminQuery);
  const [result] = (await once(client, "message")) as [AdminQueryResult];
  return { result, blocked: stop() };
}

function formatResult(name: string, { result, blocked }: Result, passed: boolean): string {
  const { cpuMs, wallMs } = blocked;
  const columns = [
    name.padEnd(32),
    `blocked ${cpuMs.toFixed(0).padStart(6)} ms CPU, ${wallMs.toFixed(0).padStart(6)} ms`,
    `took ${result.ms.toFixed(0).padStart(7)} ms`,
    `${(result.bytes / 1e6).toFixed(1).padStart(7)} MB`,
    String(result.status),
    passed ? "PASS" : "FAIL",
    result.error ?? "",
  ];
  return `${columns.join("  ").trimEnd()}\n`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rows: { type: "string", default: "2000000" }, only: { type: "string", default: "" } },
  });
  const rows = Number(values.rows);
  if (!Number.isSafeInteger(rows) || rows < 1) throw new Error(USAGE);
  const dataDir = createTemporaryDirectory();
  const now = Date.now();
  await fillDatabase(dataDir, rows, now);
  const modelServer = new Worker(new URL("./model-list-server.ts", import.meta.url));
  const [modelPort] = (await once(modelServer, "message")) as [number];
  const gateway = await startGateway(
    loadConfig({
      PORT: "0",
      OPENROUTER_API_KEY: "unused",
      OPENROUTER_BASE_URL: `http://127.0.0.1:${modelPort}/api/v1`,
      DATA_DIR: dataDir,
      LEDGER_RETENTION_DAYS: "500",
    }),
    createLogger("error"),
  );
  const client = new Worker(new URL("./admin-client.ts", import.meta.url));
  let failed = false;
  for (const { name, path, asCaller } of listQueries(now).filter((query) =>
    query.name.includes(values.only),
  )) {
    const result = await measure(gateway.url + path, asCaller ? CALLER_SECRET : ADMIN_SECRET, client);
    const passed =
      result.blocked.cpuMs <= BUDGET_MS && result.result.status === 200 && result.result.error === undefined;
    failed ||= !passed;
    process.stdout.write(formatResult(name, result, passed));
  }
  await client.terminate();
  await modelServer.terminate();
  await gateway.stop({ delayMs: 0, graceMs: 0 });
  process.exit(failed ? 1 : 0);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
