import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { digestSecret } from "../../src/key-secret.ts";
import {
  deleteExpiredSessions,
  SESSIONS_PER_KEY_MAX,
  SessionStore,
} from "../../src/sessions/session-store.ts";
import { callAsPage, signIn } from "../support/dashboard-session.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

const UPSTREAM = "http://127.0.0.1:9/api/v1";
const KEY_DIGEST = digestSecret("sk-admin");

/** Creates an admin key, and signs in with it. */
async function signInWithNewKey(gateway: KeyedGateway, key: Record<string, unknown> = {}) {
  const { body } = await gateway.callAdmin("POST", "/keys", { name: "operator", role: "admin", ...key });
  const { cookieHeader: cookie } = await signIn(gateway.port, body.secret);
  const readStatus = async (path = "/session") =>
    (await callAsPage(gateway.port, { path, headers: { cookie } })).status;
  expect(await readStatus()).toBe(200);
  return readStatus;
}

test.each([
  ["revoked", "DELETE", "/keys/operator", undefined],
  ["disabled", "PATCH", "/keys/operator", { disabled: true }],
  ["rotated without a grace time", "POST", "/keys/operator/rotate", { grace_ms: 0 }],
])("a session ends when its key is %s", async (_change, method, path, body) => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const readStatus = await signInWithNewKey(gateway);
  expect((await gateway.callAdmin(method, path, body)).status).toBe(200);
  await waitUntil(async () => (await readStatus()) === 401, "the session to end");
  expect(await readStatus("/keys")).toBe(401);
});

test("a session of a rotated key is valid for the grace time", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const readStatus = await signInWithNewKey(gateway);
  const graceMs = 3_000;
  const until = Date.now() + graceMs;
  await gateway.callAdmin("POST", "/keys/operator/rotate", { grace_ms: graceMs });
  expect(await readStatus()).toBe(200);
  await waitUntil(async () => (await readStatus()) === 401, "the session to end");
  expect(Date.now()).toBeGreaterThanOrEqual(until);
});

test("a session ends when its key expires", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const expiresAt = Date.now() + 2_000;
  const readStatus = await signInWithNewKey(gateway, { expires_at: new Date(expiresAt).toISOString() });
  await waitUntil(async () => (await readStatus()) === 401, "the session to end");
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
});

test("a session ends after DASHBOARD_SESSION_MS", async () => {
  const gateway = await startKeyedGateway(UPSTREAM, { DASHBOARD_SESSION_MS: "1500" });
  const { body, cookie, cookieHeader } = await signIn(gateway.port, gateway.admin);
  expect(cookie?.maxAge).toBe(2);
  const headers = { cookie: cookieHeader };
  await waitUntil(
    async () => (await callAsPage(gateway.port, { headers })).status === 401,
    "the session to expire",
  );
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(body.expires_at));
});

test("a key has at most 100 sessions, and the oldest one ends first", async () => {
  const database = await openTestDatabase();
  const store = new SessionStore(database, 60_000);
  const other = await store.create("key_b", KEY_DIGEST);
  const tokens: string[] = [];
  for (let count = 0; count < SESSIONS_PER_KEY_MAX + 3; count++) {
    tokens.push((await store.create("key_a", KEY_DIGEST)).token);
    // Sessions of the same millisecond have no order.
    await database.kysely
      .updateTable("sessions")
      .set({ created_at: count })
      .where("digest", "=", digestSecret(tokens.at(-1) ?? "").toString("hex"))
      .execute();
  }
  const found = await Promise.all(tokens.map(async (token) => (await store.find(token)) !== undefined));
  expect(found).toEqual([false, false, false, ...Array.from({ length: SESSIONS_PER_KEY_MAX }, () => true)]);
  expect(await store.find(other.token)).toEqual(other.session);
});

test("concurrent sign-ins do not exceed the maximum number of sessions", async () => {
  const database = await openTestDatabase();
  const store = new SessionStore(database, 60_000);
  await Promise.all(
    Array.from({ length: SESSIONS_PER_KEY_MAX + 50 }, () => store.create("key_a", KEY_DIGEST)),
  );
  const rows = await database.kysely.selectFrom("sessions").select("digest").execute();
  expect(rows).toHaveLength(SESSIONS_PER_KEY_MAX);
});

test("expired sessions are not found, and are deleted", async () => {
  const database = await openTestDatabase();
  const expired = await new SessionStore(database, 0).create("key_a", KEY_DIGEST);
  const store = new SessionStore(database, 60_000);
  const valid = await store.create("key_a", KEY_DIGEST);
  expect([await store.find(expired.token), await store.find(valid.token)]).toEqual([
    undefined,
    valid.session,
  ]);
  await deleteExpiredSessions(database);
  const rows = await database.kysely.selectFrom("sessions").select("digest").execute();
  expect(rows).toEqual([{ digest: valid.session.digest }]);
});

test("while the database fails, a session gets 503 and not 401, and is valid again afterwards", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const { cookieHeader: cookie } = await signIn(gateway.port, gateway.admin);
  const other = new DatabaseSync(join(gateway.dataDir, "sluice.db"));
  onTestFinished(() => other.close());
  other.exec("alter table sessions rename to missing");
  const call = async (method: string, body?: unknown) => {
    const response = await callAsPage(gateway.port, { method, headers: { cookie }, body });
    return [response.status, response.body?.error?.code, response.headers["set-cookie"]];
  };
  const unavailable = [503, "store_unavailable", undefined];
  expect(await call("GET")).toEqual(unavailable);
  expect(await call("DELETE")).toEqual(unavailable);
  expect(await call("POST", { key: gateway.admin })).toEqual(unavailable);
  other.exec("alter table missing rename to sessions");
  expect((await call("GET"))[0]).toBe(200);
  other.exec("begin immediate");
  expect((await call("GET"))[0]).toBe(200);
  expect(await call("DELETE")).toEqual(unavailable);
  other.exec("rollback");
  expect((await call("DELETE"))[0]).toBe(204);
});
