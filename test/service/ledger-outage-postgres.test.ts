import { readdirSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { startGateway } from "../../src/gateway.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { openDatabase } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { createRequestRow } from "../support/request-row.ts";
import { databaseErrorsContract } from "../store/database-errors-contract.ts";
import { sendRequest } from "../support/send-request.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

let postgres: Postgres;
let simulator: Simulator;

beforeAll(async () => {
  postgres = await startPostgres();
  simulator = await startSimulator({ generationDelayMs: 50 });
}, 60_000);

afterAll(async () => {
  await simulator.close();
  await postgres.close();
});

/** Starts a gateway whose keys need no database. */
async function start(databaseUrl: string, dataDir = createTemporaryDirectory()) {
  const config = loadConfig({
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: simulator.baseUrl,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDir,
    SETTLE_AFTER_MS: "60000",
  });
  const gateway = await startGateway(config, createLogger("silent", { write: () => {} }));
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= gateway.stop({ delayMs: 0, graceMs: 0 }));
  onTestFinished(stop);
  return { port: Number(new URL(gateway.url).port), dataDir, stop };
}

/** Waits for `count` settled rows, and checks that upstream billed the costs of these rows. */
async function settledRows(databaseUrl: string, count: number): Promise<RequestRow[]> {
  const database = openDatabase({ dataDir: "", databaseUrl }, () => {});
  try {
    const rows = await waitUntil(
      async () => {
        const query = database.kysely.selectFrom("requests").selectAll().where("state", "=", "settled");
        const found = await query.execute().catch(() => []);
        return found.length === count ? found : undefined;
      },
      `${count} rows`,
      20_000,
    );
    for (const row of rows)
      expect(row.cost_nanodollars).toBe(simulator.findBilledNanodollars(row.generation_id ?? ""));
    return rows;
  } finally {
    await database.close();
  }
}

const refusedIn = (dataDir: string): string[] =>
  readdirSync(join(dataDir, "journal")).filter((name) => name.endsWith(".refused"));

test("a gateway that starts without a database writes its requests when the database becomes available", async () => {
  const url = await postgres.createDatabase();
  await postgres.kill();
  const { port, dataDir } = await start(url);
  for (let count = 0; count < 5; count++) expect((await sendRequest(port)).status).toBe(200);
  await postgres.start();
  await settledRows(url, 5);
  expect(refusedIn(dataDir)).toEqual([]);
}, 60_000);

test("the gateway loses no row while the database is read-only, for example after a failover", async () => {
  const url = await postgres.createDatabase();
  const { port, dataDir } = await start(url);
  expect((await sendRequest(port)).status).toBe(200);
  await settledRows(url, 1);
  const database = openDatabase({ dataDir: "", databaseUrl: url }, () => {});
  onTestFinished(() => database.close());
  const readOnly = async (value: "on" | "off"): Promise<void> => {
    await sql.raw(`alter system set default_transaction_read_only = ${value}`).execute(database.kysely);
    await sql`select pg_reload_conf()`.execute(database.kysely);
  };
  const rollbacks = async (): Promise<number> => {
    const { rows } = await sql<{ count: number }>`
      select xact_rollback as count from pg_stat_database where datname = current_database()`.execute(
      database.kysely,
    );
    return rows[0]?.count ?? 0;
  };
  await readOnly("on");
  for (let count = 0; count < 5; count++) expect((await sendRequest(port)).status).toBe(200);
  await waitUntil(
    async () => (await sendRequest(port, { method: "GET", path: "/readyz", body: "" })).status === 503,
    "readiness to fail",
  );
  // After the first failed write, all rows are in the journal, and later writes retry them. The test waits for several
  // failures, because a heartbeat can be one of them.
  const before = await rollbacks();
  await waitUntil(async () => (await rollbacks()) >= before + 3, "further write attempts", 20_000);
  await readOnly("off");
  await settledRows(url, 6);
  expect(refusedIn(dataDir)).toEqual([]);
}, 60_000);

test("a gateway that stops while the database is down leaves its rows to the next gateway", async () => {
  const url = await postgres.createDatabase();
  const first = await start(url);
  expect((await sendRequest(first.port)).status).toBe(200);
  await settledRows(url, 1);
  await postgres.kill();
  const body = buildChatBody({ model: "sim/ok:events=3", stream: true, user: "\u2028" });
  for (let count = 0; count < 5; count++) expect((await sendRequest(first.port, { body })).status).toBe(200);
  await first.stop();
  await postgres.start();
  await start(url, first.dataDir);
  const rows = await settledRows(url, 6);
  expect(rows.filter(({ cost_source }) => cost_source === "stream")).toHaveLength(5);
}, 60_000);

databaseErrorsContract(async () => openTestDatabase(await postgres.createDatabase()));

test("isInvalidRow returns true for PostgreSQL's error about an invalid text or number", async () => {
  const database = await openTestDatabase(await postgres.createDatabase());
  for (const fields of [{ provider: "a\0b" }, { provider: "\uD83D" }, { cost_nanodollars: 1e19 }]) {
    const row = createRequestRow("1", { state: "settled", ...fields });
    const error: unknown = await writeRequests(database, [row]).catch((cause: unknown) => cause);
    expect(isInvalidRow(error)).toBe(true);
  }
});
