import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { KeyService } from "../../src/keys/key-service.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { openDatabase } from "../../src/store/database.ts";
import { heartbeat } from "../../src/metering/sql/instances.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { createDataDirectory, openTestDatabase } from "../support/test-database.ts";
import { startAdminApp } from "../support/admin-app.ts";
import { waitUntil } from "../support/wait.ts";
import packageJson from "../../package.json" with { type: "json" };

test("the health of a gateway has its versions, components, capacity, ledger and replicas", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { MAX_IN_FLIGHT: "320" });
  const { status, body } = await gateway.callAdmin("GET", "/health");
  expect(status).toBe(200);
  expect(body.gateway).toMatchObject({
    version: packageJson.version,
    node: process.version,
    database: "sqlite",
    is_shutting_down: false,
  });
  expect(new Date(body.gateway.started_at).getTime()).toBeLessThan(
    new Date(body.gateway.checked_at).getTime(),
  );
  expect(body.components).toEqual([
    { name: "database", is_up: true, is_required: true },
    { name: "journal", is_up: true, is_required: true },
    { name: "settlement", is_up: true, is_required: false },
    { name: "keys", is_up: true, is_required: false },
  ]);
  expect(body.capacity).toMatchObject({
    in_flight: 0,
    in_flight_limit: 320,
    uploads: 0,
    body_memory_bytes: 0,
  });
  expect(body.capacity.connections).toBeGreaterThan(0);
  expect(body.ledger).toMatchObject({ queue_rows: 0, open: 0, pending: 0, unknown: 0, oldest_pending_ms: 0 });
  expect(body.ledger.journal_max_bytes).toBe(1_073_741_824);
  expect(body.alerts).toEqual({ undelivered: 0 });
  const instances = await waitUntil(async () => {
    const { instances: listed } = (await gateway.callAdmin("GET", "/health")).body;
    return listed.length > 0 && listed;
  }, "the first heartbeat");
  expect(instances).toEqual([
    {
      id: body.gateway.instance,
      started_at: expect.any(String),
      seen_at: expect.any(String),
      is_alive: true,
      is_responding: true,
    },
  ]);
});

test("the health has the money that a poll has read", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { ACCOUNT_POLL_MS: "20" });
  const { account } = await waitUntil(async () => {
    const { body } = await gateway.callAdmin("GET", "/health");
    return body.account.balances.length > 0 && body;
  }, "the first poll");
  expect(account.balances).toEqual([
    { source: "key_limit", remaining_usd: expect.stringMatching(/^\d+(\.\d+)?$/) },
  ]);
});

test("a replica without a heartbeat for a minute is listed as not alive", async () => {
  const database = await openTestDatabase();
  await heartbeat(database, "alive");
  await heartbeat(database, "silent");
  await database.kysely
    .updateTable("instances")
    .set((eb) => ({ seen_at: eb("seen_at", "-", 61_000) }))
    .where("id", "=", "silent")
    .execute();
  const { port } = await startAdminApp(database);
  const { body } = await sendRequest(port, { method: "GET", path: "/admin/v1/health", body: "" });
  const { instances } = JSON.parse(body.toString());
  expect(instances.map(({ id, is_alive }: { id: string; is_alive: boolean }) => [id, is_alive])).toEqual([
    ["alive", true],
    ["silent", false],
  ]);
});

test("the health is readable while the database is unavailable, without what only the database knows", async () => {
  const database = await openTestDatabase();
  const { port } = await startAdminApp({ ...database, isReachable: () => Promise.resolve(false) });
  const response = await sendRequest(port, { method: "GET", path: "/admin/v1/health", body: "" });
  expect(response.status).toBe(200);
  expect(JSON.parse(response.body.toString())).toMatchObject({
    components: [{ name: "database", is_up: false, is_required: true }],
    ledger: { queue_rows: 0, open: null, pending: null, unknown: null, oldest_pending_ms: null },
    instances: null,
    account: null,
    alerts: { undelivered: null },
  });
});

test("no response of the admin API contains a secret of the configuration", async () => {
  const simulator = await startTestSimulator();
  const mark = randomUUID();
  const webhookSecret = Buffer.from(mark).toString("base64");
  const proxy = `http://user:${mark}@127.0.0.1:9`;
  const dataDir = await createDataDirectory();
  const admin = await createAdminKey(dataDir);
  const { port } = await startKeyedGateway(simulator.baseUrl, {
    DATA_DIR: dataDir,
    GATEWAY_API_KEYS: `team:sk-${mark}`,
    OPENROUTER_API_KEY: `sk-or-${mark}`,
    OPENROUTER_MANAGEMENT_KEY: `sk-or-management-${mark}`,
    REDIS_URL: `redis://user:${mark}@127.0.0.1:9/0`,
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    NO_PROXY: "127.0.0.1",
    ALERT_WEBHOOK_URL: `https://127.0.0.1:9/${mark}`,
    ALERT_WEBHOOK_SECRET: `whsec_${webhookSecret}`,
    APP_URL: `https://user:${mark}@example.com`,
  });
  const read = async (path: string): Promise<string> => {
    const headers = { authorization: `Bearer ${admin}` };
    return (await sendRequest(port, { method: "GET", path, headers, body: "" })).body.toString();
  };
  const settings = JSON.parse(await read("/admin/v1/configuration"));
  expect(settings.data).toContainEqual({
    name: "OPENROUTER_API_KEY",
    value: null,
    is_secret: true,
    is_set: true,
    is_default: false,
  });
  expect(settings.data).toContainEqual({
    name: "NO_PROXY",
    value: "127.0.0.1",
    is_secret: false,
    is_set: true,
    is_default: false,
  });
  const { paths } = JSON.parse(await read("/openapi.json"));
  const reads = Object.entries<object>(paths)
    .filter(([path, item]) => path.startsWith("/admin/v1/") && "get" in item)
    .map(([path]) => path.replace("{key}", "ops"));
  expect(reads).toContain("/admin/v1/configuration");
  for (const path of reads) {
    const text = await read(path);
    expect([path, text.includes(mark), text.includes(webhookSecret)]).toEqual([path, false, false]);
  }
});

/** Creates an admin key in the database, because a gateway with `GATEWAY_API_KEYS` creates no first keys. */
async function createAdminKey(dataDir: string): Promise<string> {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  const { secret } = await new KeyService(database).create(
    newKeySchema.parse({ name: "ops", role: "admin" }),
    {
      actor: "cli",
      source: "test",
    },
  );
  await database.close();
  return secret;
}
