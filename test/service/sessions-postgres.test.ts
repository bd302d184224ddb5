import { afterAll, beforeAll, expect, test } from "vitest";
import { callAsPage, signIn } from "../support/dashboard-session.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

/** Starts two gateways with one database. The first one has the keys of the first start. */
async function startReplicas(): Promise<[a: KeyedGateway, b: KeyedGateway]> {
  const env = { DATABASE_URL: await postgres.createDatabase() };
  const start = () => startKeyedGateway("http://127.0.0.1:9/api/v1", env);
  return [await start(), await start()];
}

const readStatus = async ({ port }: KeyedGateway, cookie: string): Promise<number> =>
  (await callAsPage(port, { path: "/session", headers: { cookie } })).status;

test("a session of one gateway is valid on another, and a sign-out there ends it on both at once", async () => {
  const [a, b] = await startReplicas();
  const { cookieHeader: cookie, body } = await signIn(a.port, a.admin);
  const shown = await callAsPage(b.port, { headers: { cookie } });
  expect([shown.status, shown.body]).toEqual([200, body]);
  expect((await callAsPage(b.port, { path: "/keys", headers: { cookie } })).status).toBe(200);
  expect((await callAsPage(b.port, { method: "DELETE", headers: { cookie } })).status).toBe(204);
  expect([await readStatus(a, cookie), await readStatus(b, cookie)]).toEqual([401, 401]);
});

test("a revocation on one gateway ends the session on the other", async () => {
  const [a, b] = await startReplicas();
  const { secret } = (await a.callAdmin("POST", "/keys", { name: "operator", role: "admin" })).body;
  const { cookieHeader: cookie } = await signIn(b.port, secret);
  expect(await readStatus(b, cookie)).toBe(200);
  await a.callAdmin("DELETE", "/keys/operator");
  await waitUntil(async () => (await readStatus(b, cookie)) === 401, "the session to end");
});

test("while PostgreSQL is down, a session gets 503 and not 401, and is valid again afterwards", async () => {
  const [a] = await startReplicas();
  const { cookieHeader: cookie } = await signIn(a.port, a.admin);
  await postgres.kill();
  for (const path of ["/session", "/keys"]) {
    const { status, body } = await callAsPage(a.port, { path, headers: { cookie } });
    expect([status, body.error.code]).toEqual([503, "store_unavailable"]);
  }
  expect((await signIn(a.port, a.admin)).status).toBe(503);
  await postgres.start();
  await waitUntil(async () => (await readStatus(a, cookie)) === 200, "the session to be valid again");
}, 60_000);
