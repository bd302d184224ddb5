import { sql } from "kysely";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { FirstKeys } from "../../src/persistence.ts";
import { loadConfig } from "../../src/config/config.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { createSecret } from "../../src/key-secret.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { migrate, MIGRATIONS } from "../../src/store/migrations.ts";
import { sendRequest } from "../support/send-request.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

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

interface Replica {
  readonly gateway: Gateway;
  readonly port: number;
  readonly first: FirstKeys[];
  readonly log: () => string;
}

async function startReplica(databaseUrl: string, env: Record<string, string> = {}): Promise<Replica> {
  const first: FirstKeys[] = [];
  let log = "";
  const config = loadConfig({
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: simulator.baseUrl,
    DATABASE_URL: databaseUrl,
    DATA_DIR: createTemporaryDirectory(),
    SETTLE_AFTER_MS: "50",
    ...env,
  });
  const logger = createLogger("info", { write: (line: string) => void (log += line) });
  const gateway = await startGateway(config, logger, (keys) => first.push(keys));
  onTestFinished(() => gateway.stop({ delayMs: 0, graceMs: 0 }));
  return { gateway, port: Number(new URL(gateway.url).port), first, log: () => log };
}

const get = (port: number, path: string, secret = "") =>
  sendRequest(port, { method: "GET", path, body: "", headers: { authorization: `Bearer ${secret}` } });
const chat = (port: number, secret: string) =>
  sendRequest(port, { headers: { authorization: `Bearer ${secret}` } });

test("ten replicas that start at once on an empty database create one schema and one pair of first keys", async () => {
  const url = await postgres.createDatabase();
  const replicas = await Promise.all(Array.from({ length: 10 }, () => startReplica(url)));
  expect(replicas.flatMap(({ first }) => first)).toHaveLength(1);
  const secret = replicas.flatMap(({ first }) => first)[0]?.caller.secret ?? "";
  for (const { port } of replicas) {
    expect((await get(port, "/readyz")).status).toBe(200);
    expect((await chat(port, secret)).status).toBe(200);
  }
}, 60_000);

test("a replica rejects a key within two seconds after another replica has revoked it", async () => {
  const url = await postgres.createDatabase();
  const [a, b] = [await startReplica(url), await startReplica(url)];
  const keys = a.first[0];
  const secret = keys?.caller.secret ?? "";
  expect((await chat(b.port, secret)).status).toBe(200);
  const revoked = await sendRequest(a.port, {
    method: "DELETE",
    path: "/admin/v1/keys/first-caller",
    body: "",
    headers: { authorization: `Bearer ${keys?.admin.secret}` },
  });
  expect(revoked.status).toBe(200);
  const rejected = waitUntil(
    async () => (await chat(b.port, secret)).status === 401,
    "the other replica to reject the key",
  );
  expect(await measureRunningMs(rejected)).toBeLessThan(2_000);
}, 60_000);

test("known keys work while the database is down, and the costs of their requests are written when the database recovers", async () => {
  const url = await postgres.createDatabase();
  const { port, first, log } = await startReplica(url);
  const secret = first[0]?.caller.secret ?? "";
  expect((await chat(port, secret)).status).toBe(200);
  await postgres.kill();
  await waitUntil(async () => (await get(port, "/readyz")).status === 503, "readiness to fail", 10_000);
  for (let count = 0; count < 5; count++) expect((await chat(port, secret)).status).toBe(200);
  expect((await chat(port, createSecret())).status).toBe(503);
  // A key in another format was never issued, so the gateway rejects it without the database.
  expect((await chat(port, `sk-other-${"x".repeat(20)}`)).status).toBe(401);
  await waitUntil(() => log().includes("ledger: writes failed"), "the logged error", 10_000);
  await postgres.start();
  await waitUntil(
    async () => (await get(port, "/readyz")).status === 200,
    "the gateway to be ready again",
    20_000,
  );
  const database = await openTestDatabase(url);
  const rows = await waitUntil(
    async () => {
      const all = await database.kysely.selectFrom("requests").selectAll().execute();
      return all.length === 6 ? all : undefined;
    },
    "all six rows",
    20_000,
  );
  expect(rows.map(({ state }) => state)).toEqual(Array(6).fill("settled"));
  const { cost } = await database.kysely
    .selectFrom("rollups")
    .select((eb) => eb.fn.sum<number>("cost_nanodollars").as("cost"))
    .executeTakeFirstOrThrow();
  expect(cost).toBe(rows.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0));
}, 90_000);

test("while the database is down, known keys work for STORE_OUTAGE_GRACE_MS and no longer", async () => {
  const url = await postgres.createDatabase();
  const { port, first } = await startReplica(url, { STORE_OUTAGE_GRACE_MS: "0" });
  const secret = first[0]?.caller.secret ?? "";
  expect((await chat(port, secret)).status).toBe(200);
  await postgres.kill();
  const refused = await waitUntil(
    async () => {
      const response = await chat(port, secret);
      return response.status === 503 ? response : undefined;
    },
    "the grace period to end",
    10_000,
  );
  expect(JSON.parse(refused.body.toString()).error.code).toBe("store_unavailable");
  await postgres.start();
  await waitUntil(
    async () => (await chat(port, secret)).status === 200,
    "the key to be accepted again",
    20_000,
  );
}, 60_000);

test("a gateway that starts before its database reports why it is not ready, and becomes ready when the database starts", async () => {
  const url = await postgres.createDatabase();
  await postgres.kill();
  const { port, first, log } = await startReplica(url);
  expect((await get(port, "/healthz")).status).toBe(200);
  expect(JSON.parse((await get(port, "/readyz")).body.toString())).toMatchObject({ failing: ["database"] });
  expect(log()).toContain("database: open failed");
  await postgres.start();
  await waitUntil(async () => (await get(port, "/readyz")).status === 200, "the gateway to be ready", 20_000);
  expect((await chat(port, first[0]?.caller.secret ?? "")).status).toBe(200);
}, 60_000);

test.each(["SQLite", "PostgreSQL"])("a failed migration leaves the previous schema in %s", async (kind) => {
  const database = await openTestDatabase(kind === "SQLite" ? undefined : await postgres.createDatabase());
  const broken = {
    ...MIGRATIONS,
    "9999-broken": {
      async up(db: typeof database.kysely) {
        await sql`create table half_done (id integer)`.execute(db);
        throw new Error("it broke");
      },
    },
  };
  await expect(migrate(database.kysely, broken)).rejects.toThrow("it broke");
  const tables = await database.kysely.introspection.getTables();
  expect(tables.map(({ name }) => name)).not.toContain("half_done");
  await database.migrate();
  expect(await database.kysely.selectFrom("keys").selectAll().execute()).toEqual([]);
});
