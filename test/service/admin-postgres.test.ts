import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startAdminApp } from "../support/admin-app.ts";
import { testRequestPaging } from "../admin/request-paging-contract.ts";
import { insertRequests, createSettledRow } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

const UPSTREAM = "http://127.0.0.1:9/api/v1";
const PERIOD = "from=2026-11-01&to=2026-12-01";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

testRequestPaging(async () => openTestDatabase(await postgres.createDatabase()));

test("the admin API manages keys and audits changes in PostgreSQL", async () => {
  const gateway = await startKeyedGateway(UPSTREAM, { DATABASE_URL: await postgres.createDatabase() });
  const created = await gateway.callAdmin("POST", "/keys", {
    name: "bob",
    metadata: { team: "a" },
    models: ["google/*"],
    expires_at: "2100-01-01T00:00:00Z",
  });
  expect(created).toMatchObject({
    status: 201,
    body: { metadata: { team: "a" }, models: ["google/*"], expires_at: "2100-01-01T00:00:00.000Z" },
  });
  const { secret, ...key } = created.body;
  expect((await gateway.callAdmin("GET", "/keys/bob")).body).toEqual(key);
  expect((await gateway.callAdmin("POST", "/keys", { name: "bob" })).status).toBe(409);
  const rotated = await gateway.callAdmin("POST", "/keys/bob/rotate", {});
  expect(rotated.body.secret).not.toBe(secret);
  await gateway.callAdmin("PATCH", "/keys/bob", { disabled: true });
  await gateway.callAdmin("DELETE", "/keys/bob");
  const { data } = (await gateway.callAdmin("GET", `/audit?key=${key.id}`)).body;
  expect(data.map((entry: { action: string }) => entry.action)).toEqual([
    "revoke",
    "update",
    "rotate",
    "create",
  ]);
  expect((await gateway.callAdmin("GET", "/usage?by=key,model,provider,day")).body.data).toEqual([]);
});

test("the admin API responds with 503 while PostgreSQL is down, and recovers when PostgreSQL starts again", async () => {
  const gateway = await startKeyedGateway(UPSTREAM, { DATABASE_URL: await postgres.createDatabase() });
  const paths = ["/keys", "/keys/first-admin", "/audit", "/usage", "/requests"];
  const statuses = async (): Promise<number[]> => {
    const found: number[] = [];
    for (const path of paths) found.push((await gateway.callAdmin("GET", path)).status);
    return found;
  };
  expect(await statuses()).toEqual([200, 200, 200, 200, 200]);
  await postgres.kill();
  expect(await statuses()).toEqual([503, 503, 503, 503, 503]);
  const refused = await gateway.callAdmin("POST", "/keys", { name: "bob" });
  expect([refused.status, refused.body.error.code]).toEqual([503, "store_unavailable"]);
  await postgres.start();
  await waitUntil(
    async () => (await gateway.callAdmin("GET", "/keys")).status === 200,
    "the admin API to recover",
    20_000,
  );
  expect((await gateway.callAdmin("POST", "/keys", { name: "bob" })).status).toBe(201);
}, 60_000);

test("an export to a slow client holds no database connection, and is aborted when PostgreSQL is killed", async () => {
  const database = await openTestDatabase(await postgres.createDatabase());
  const rows = Array.from({ length: 30_000 }, (_, index) => createSettledRow(index * 10));
  await insertRequests(database, rows);
  const app = await startAdminApp(database);
  const begin = async (): Promise<IncomingMessage> => {
    const path = `/admin/v1/requests?${PERIOD}`;
    const request = get({ host: "127.0.0.1", port: app.port, path, agent: false });
    onTestFinished(() => void request.destroy());
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return response;
  };
  // The exports outnumber the connections to the database.
  const exports: IncomingMessage[] = [];
  for (let count = 0; count < 12; count++) {
    exports.push(await begin());
    await waitUntil(() => app.lastResponse()?.writableNeedDrain, "an export to wait for its client");
  }
  const report = await sendRequest(app.port, { method: "GET", path: `/admin/v1/usage?${PERIOD}`, body: "" });
  expect(JSON.parse(report.body.toString()).total.requests).toBe(30_000);
  const [first, second, ...rest] = exports;
  for (const response of rest) response.destroy();
  expect(JSON.parse(await readText(first))).toMatchObject({ data: { length: 30_000 } });
  await postgres.kill();
  await expect(readText(second)).rejects.toThrow("aborted");
  await postgres.start();
}, 90_000);

async function readText(response: IncomingMessage | undefined): Promise<string> {
  let text = "";
  for await (const bytes of response?.setEncoding("utf8") ?? []) text += bytes as string;
  return text;
}
