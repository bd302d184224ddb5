import { expect, onTestFinished, test } from "vitest";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { scrape } from "../support/scrape.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";
import { startSilentProxy } from "../support/silent-proxy.ts";
import { waitUntil } from "../support/wait.ts";

const startOkUpstream = () =>
  startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );

test("decisions are counted for Redis while it responds, and for the memory of the process while it hangs", async () => {
  const redis = await startRedis();
  const upstream = await startOkUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    REDIS_URL: redis.url,
    RATE_LIMIT_MAX: "3",
    METRICS_PORT: "0",
  });
  const read = async (store: string) => {
    const { sum } = await scrape(gateway.metricsUrl);
    return ["admitted", "refused"].map((decision) =>
      sum("sluice_rate_limit_decisions_total", { decision, store }),
    );
  };
  const isUp = async () =>
    (await scrape(gateway.metricsUrl)).sum("sluice_component_up", { component: "redis" });
  await waitUntil(async () => (await isUp()) === 1, "Redis to be connected");
  for (let sent = 0; sent < 5; sent++) await sendRequest(gateway.port);
  expect(await read("redis")).toEqual([3, 2]);
  // Once it has refused a key, the process knows until when it is blocked.
  const [, before = 0] = await read("memory");
  redis.process.kill("SIGSTOP");
  for (let sent = 0; sent < 4; sent++) await sendRequest(gateway.port);
  expect(await read("redis")).toEqual([3, 2]);
  const [admitted = 0, refused = 0] = await read("memory");
  expect(admitted + refused - before).toBe(4);
  expect(await isUp()).toBe(0);
  redis.process.kill("SIGCONT");
}, 30_000);

test("while PostgreSQL is frozen, scrapes are quick and lack only its values, and the values return", async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.close());
  const url = new URL(await postgres.createDatabase());
  const proxy = await startSilentProxy(Number(url.port));
  url.port = String(proxy.port);
  const gateway = await startKeyedGateway("http://127.0.0.1:9", {
    DATABASE_URL: url.href,
    METRICS_PORT: "0",
    METRICS_KEY_LABEL: "true",
  });
  const limits = { budgets: { day: { limit_usd: 1 } } };
  expect((await gateway.callAdmin("POST", "/keys", { name: "team", limits })).status).toBe(201);
  const isComplete = async (): Promise<boolean> => {
    const { sum } = await scrape(gateway.metricsUrl);
    return (
      sum("sluice_ledger_requests") === 0 &&
      sum("sluice_budget_limit_usd") === 1 &&
      sum("sluice_component_up") === 4
    );
  };
  await waitUntil(isComplete, "all values", 15_000);
  proxy.freeze();
  const isDown = async (): Promise<boolean> => {
    const startedAt = performance.now();
    const { sum } = await scrape(gateway.metricsUrl);
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    expect(sum("sluice_requests_in_flight")).toBe(0);
    return (
      sum("sluice_component_up", { component: "database" }) === 0 &&
      sum("sluice_ledger_requests") === undefined &&
      sum("sluice_budget_limit_usd") === undefined &&
      (sum("sluice_collector_failures_total", { collector: "ledger_database" }) ?? 0) > 0
    );
  };
  await waitUntil(isDown, "the values of the database to be absent", 20_000);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: 20 }, isDown));
  expect(performance.now() - startedAt).toBeLessThan(3_500);
  proxy.thaw();
  await waitUntil(isComplete, "all values again", 45_000);
}, 120_000);
