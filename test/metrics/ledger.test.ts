import { expect, onTestFinished, test } from "vitest";
import { getSqlitePath, openDatabase } from "../../src/store/database.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { createPendingRow } from "../support/cost-reconciler.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { scrape } from "../support/scrape.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

function open({ dataDir }: KeyedGateway) {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  return database;
}

test("the metrics show what the ledger of all replicas does not know yet, and the age of the oldest pending request", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startKeyedGateway(upstream.baseUrl, { METRICS_PORT: "0", SETTLE_AFTER_MS: "60000" });
  const database = open(gateway);
  const now = Date.now();
  await writeRequests(database, [
    createPendingRow("b", { started_at: now - 10_000, ended_at: now - 5_000 }),
    createPendingRow("a", { started_at: now - 200_000, ended_at: now - 100_000, settle_at: now + 600_000 }),
  ]);
  // `writeRequests` would raise an alert for it.
  await database.kysely
    .insertInto("requests")
    .values(createPendingRow("c", { state: "unknown" }))
    .execute();
  const alert = {
    type: "unknown_cost" as const,
    data: "{}",
    created_at: now,
    attempts: 1,
    delivered_at: null,
  };
  await database.kysely
    .insertInto("alerts")
    .values([
      { id: "waiting", ...alert, next_attempt_at: now + 600_000 },
      { id: "given up", ...alert, next_attempt_at: null },
    ])
    .execute();
  const { sum } = await scrape(gateway.metricsUrl);
  expect(sum("sluice_ledger_requests", { state: "open" })).toBe(0);
  expect(sum("sluice_ledger_requests", { state: "pending" })).toBe(2);
  expect(sum("sluice_ledger_requests", { state: "unknown" })).toBe(1);
  expect(sum("sluice_ledger_oldest_pending_seconds")).toBeGreaterThanOrEqual(100);
  expect(sum("sluice_ledger_oldest_pending_seconds")).toBeLessThan(130);
  expect(sum("sluice_alerts_undelivered")).toBe(1);
  expect(sum("sluice_journal_max_bytes")).toBeGreaterThan(1_000_000);
  expect(sum("sluice_ledger_queue_rows")).toBe(0);
  expect(sum("sluice_collector_failures_total")).toBe(0);
});

test("a request whose cost becomes unknown is counted, and requests in flight are in the journal, but not in the queue", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startKeyedGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const read = async (name: string) => (await scrape(gateway.metricsUrl)).sum(`sluice_${name}`) ?? 0;
  expect(await read("ledger_unknown_costs_total")).toBe(0);
  const response = gateway.call(gateway.caller);
  await waitUntil(async () => (await read("journal_bytes")) > 0, "the request to be in the journal");
  expect(await read("ledger_queue_rows")).toBe(0);
  for (const socket of upstream.open) socket.destroy();
  await response;
  await waitUntil(async () => (await read("ledger_unknown_costs_total")) === 1, "the cost to be unknown");
  await waitUntil(async () => (await read("ledger_queue_rows")) === 0, "the row to be written");
  expect(await read("journal_bytes")).toBe(0);
});

test("if the tables cannot be read, their metrics are absent, and all others are in the scrape", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startKeyedGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const { sqlite } = open(gateway);
  expect(sqlite?.location()).toBe(getSqlitePath(gateway.dataDir));
  sqlite?.exec("alter table alerts rename to other");
  expect((await scrape(gateway.metricsUrl)).sum("sluice_ledger_requests")).toBeUndefined();
  const { sum } = await scrape(gateway.metricsUrl);
  expect(sum("sluice_collector_failures_total", { collector: "ledger_database" })).toBe(1);
  expect(sum("sluice_collector_failures_total")).toBe(1);
  expect(sum("sluice_journal_bytes")).toBe(0);
  expect(gateway.readLog().split("metrics: collector failed, values omitted")).toHaveLength(2);
});

test("a request that cost more than was reserved is counted when its cost is looked up", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { METRICS_PORT: "0" });
  const { status, headers } = await gateway.call(gateway.caller);
  expect(status).toBe(200);
  const row = createPendingRow("overrun", {
    generation_id: String(headers["x-generation-id"]),
    settle_at: 0,
    reserved_in: "key:day",
    reserved_nanodollars: 1,
  });
  await open(gateway).kysely.insertInto("requests").values(row).execute();
  await waitUntil(
    async () => (await scrape(gateway.metricsUrl)).sum("sluice_ledger_overruns_total") === 1,
    "the cost to be looked up",
  );
});

test("a row that the database rejects is counted", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { METRICS_PORT: "0" });
  open(gateway).sqlite?.exec(
    "create trigger reject before insert on requests begin select raise(abort, 'rejected'); end",
  );
  expect((await gateway.call(gateway.caller)).status).toBe(200);
  await waitUntil(
    async () => (await scrape(gateway.metricsUrl)).sum("sluice_ledger_quarantined_rows_total") === 1,
    "the row to be quarantined",
  );
});
