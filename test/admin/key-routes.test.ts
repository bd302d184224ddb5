import { expect, test } from "vitest";
import { findPeriod } from "../../src/budgets/periods.ts";
import { HOUR_MS } from "../../src/durations.ts";
import { addSums } from "../../src/metering/sql/rollups.ts";
import { insertKey } from "../support/key-row.ts";
import { createRollup } from "../support/rollup-rows.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { sendRequest, type TestRequest } from "../support/send-request.ts";
import type { RawResponse } from "../support/raw-client.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { startAdminApp } from "../support/admin-app.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON, whose shape each test asserts
type Json = any;

async function start() {
  const database = await openTestDatabase();
  const { port } = await startAdminApp(database);
  const send = async (
    method: string,
    path: string,
    body?: unknown,
    headers: TestRequest["headers"] = {},
  ): Promise<RawResponse & { json: Json }> => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const response = await sendRequest(port, { method, path: `/admin/v1${path}`, body: text, headers });
    return { ...response, json: JSON.parse(response.body.toString()) };
  };
  return { database, port, send };
}

const listNames = ({ json }: { json: Json }): string[] => json.data.map((key: { name: string }) => key.name);

test("creates a key with all fields, and returns them unchanged", async () => {
  const { send } = await start();
  const fields = {
    name: "bob",
    role: "admin",
    owner: "Bob",
    metadata: { team: "a", note: "ünïcode" },
    models: ["google/*"],
    aliases: { fast: "google/gemini-3-flash-preview" },
    disabled: true,
    on_disconnect: "drain",
  };
  const created = await send("POST", "/keys", { ...fields, expires_at: "2100-01-01T02:00:00+02:00" });
  expect(created.status).toBe(201);
  const { secret, ...key } = created.json;
  expect(key).toMatchObject({ ...fields, expires_at: "2100-01-01T00:00:00.000Z", revoked_at: null });
  expect(key.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  for (const name of [key.id, "bob"]) expect((await send("GET", `/keys/${name}`)).json).toEqual(key);
  expect(secret.startsWith(key.prefix)).toBe(true);
});

test("an update sets the given fields, clears those that are null, and keeps the others", async () => {
  const { send } = await start();
  await send("POST", "/keys", { name: "bob", owner: "Bob", models: ["a/*"], metadata: { a: "b" } });
  const changed = await send("PATCH", "/keys/bob", { name: "rob", owner: null, on_disconnect: "drain" });
  expect(changed.json).toMatchObject({ name: "rob", owner: null, models: ["a/*"], on_disconnect: "drain" });
  expect(changed.json.metadata).toEqual({ a: "b" });
  const cleared = await send("PATCH", "/keys/rob", { models: null, expires_at: "2100-01-01T00:00:00Z" });
  expect(cleared.json).toMatchObject({ models: null, expires_at: "2100-01-01T00:00:00.000Z" });
  expect((await send("PATCH", "/keys/rob", { expires_at: null })).json.expires_at).toBeNull();
});

test("stores the aliases of a key without the optional prefix, replaces all of them, and names a mistake", async () => {
  const { send } = await start();
  expect((await send("POST", "/keys", { name: "eve" })).json.aliases).toEqual({});
  const aliases = { fast: "openrouter/a/b", smart: "c/d" };
  const created = await send("POST", "/keys", { name: "bob", aliases });
  expect(created.json.aliases).toEqual({ fast: "a/b", smart: "c/d" });
  const changed = await send("PATCH", "/keys/bob", { aliases: { best: "e/f" } });
  expect(changed.json.aliases).toEqual({ best: "e/f" });
  expect((await send("PATCH", "/keys/bob", { owner: "Bob" })).json.aliases).toEqual({ best: "e/f" });
  const refused = await send("PATCH", "/keys/bob", { aliases: { "openai/gpt-4o": "a/b" } });
  expect([refused.status, refused.json.error]).toMatchObject([
    400,
    { code: "invalid_value", param: "aliases.openai/gpt-4o", message: expect.stringContaining("could hide") },
  ]);
  expect((await send("GET", "/keys/bob")).json.aliases).toEqual({ best: "e/f" });
});

test("returns a secret only when it is created, with cache-control: no-store", async () => {
  const { send } = await start();
  const responses = [
    await send("POST", "/keys", { name: "bob" }),
    await send("POST", "/keys/bob/rotate", { grace_ms: 1_000 }),
    await send("PATCH", "/keys/bob", { owner: "Bob" }),
    await send("GET", "/keys/bob"),
    await send("GET", "/keys"),
    await send("GET", "/audit"),
    await send("DELETE", "/keys/bob"),
  ];
  expect(responses.map(({ json }) => "secret" in json)).toEqual([true, true, ...Array(5).fill(false)]);
  for (const { headers } of responses.slice(0, 2)) expect(headers["cache-control"]).toBe("no-store");
  const secrets = responses.slice(0, 2).map(({ json }) => json.secret as string);
  const rest = responses.slice(2).map(({ body }) => body.toString());
  for (const secret of secrets) expect(rest.join("")).not.toContain(secret.slice(12));
  expect(rest.join("")).not.toMatch(/digest|[0-9a-f]{64}/);
});

test("the admin API logs no secret", async () => {
  const gateway = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body;
  await gateway.callAdmin("POST", "/keys/bob/rotate");
  await gateway.stop();
  expect(gateway.readLog()).toContain("/admin/v1/keys/:key/rotate");
  for (const text of [secret, gateway.admin]) expect(gateway.readLog()).not.toContain(text.slice(12));
});

test("a rotation returns the time until which the old secret is valid: one day later, or grace_ms later", async () => {
  const { send } = await start();
  await send("POST", "/keys", { name: "bob" });
  const measureGraceMinutes = async (body?: unknown): Promise<number | null> => {
    const before = Date.now();
    const { json } = await send("POST", "/keys/bob/rotate", body);
    const until = json.previous_secret_until;
    return until === null ? null : Math.floor((Date.parse(until) - before) / 60_000);
  };
  for (const body of [undefined, {}]) expect(await measureGraceMinutes(body)).toBe(24 * 60);
  expect(await measureGraceMinutes({ grace_ms: 7_200_000 })).toBe(120);
  expect(await measureGraceMinutes({ grace_ms: 0 })).toBeNull();
});

test("accepts an empty JSON body where no body is required", async () => {
  const { send } = await start();
  const typed = { "content-type": "application/json", "content-length": "0" };
  await send("POST", "/keys", { name: "bob" });
  expect((await send("POST", "/keys/bob/rotate", undefined, typed)).status).toBe(200);
  expect((await send("DELETE", "/keys/bob", undefined, typed)).status).toBe(200);
});

test("lists keys page by page and by owner, with revoked keys only on request", async () => {
  const { send } = await start();
  const ids = new Map<string, string>();
  for (let number = 0; number < 7; number++) {
    const { json } = await send("POST", "/keys", { name: `key-${number}`, owner: number < 3 ? "a" : "b" });
    ids.set(json.id, json.name);
  }
  const pages: string[][] = [];
  for (let after = ""; ;) {
    const page = await send("GET", `/keys?limit=3${after && `&after=${after}`}`);
    pages.push(listNames(page));
    if (page.json.data.length < 3) break;
    after = page.json.data.at(-1).id;
  }
  expect(pages.map(({ length }) => length)).toEqual([3, 3, 1]);
  expect(pages.flat()).toEqual([...ids].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name));
  expect(listNames(await send("GET", "/keys?owner=a")).toSorted()).toEqual(["key-0", "key-1", "key-2"]);
  await send("DELETE", "/keys/key-0");
  expect(listNames(await send("GET", "/keys?owner=a"))).not.toContain("key-0");
  expect(listNames(await send("GET", "/keys?owner=a&include_revoked=false"))).toHaveLength(2);
  expect(listNames(await send("GET", "/keys?owner=a&include_revoked=true"))).toHaveLength(3);
});

test("lists keys with what they have spent in this month on request", async () => {
  const { database, send } = await start();
  for (const id of ["key_busy", "key_idle"]) await insertKey(database, { id });
  const { startsAt } = findPeriod("month", Date.now());
  const costs = [
    [startsAt - HOUR_MS, 5],
    [startsAt, 1_234_567],
  ] as const;
  const rows = costs.map(([hour, cost]) => ({
    ...createRollup(hour, ["key_busy", "a/b", "P"]),
    cost_nanodollars: cost,
  }));
  await addSums(database, database.kysely, rows);
  const { json } = await send("GET", "/keys?include_spend=true");
  expect(json.data.map((key: Json) => [key.id, key.month_cost_usd])).toEqual([
    ["key_busy", "0.001234567"],
    ["key_idle", "0.000000000"],
  ]);
  expect((await send("GET", "/keys")).json.data[0]).not.toHaveProperty("month_cost_usd");
  const none = await send("GET", "/keys?include_spend=true&include_budgets=true&search=nobody");
  expect(none.json).toEqual({ data: [], next_after: null });
});

test("lists audited changes page by page, newest first, for all keys or for one key by its name or id", async () => {
  const { send } = await start();
  const { id } = (await send("POST", "/keys", { name: "bob" })).json;
  for (let number = 0; number < 4; number++) await send("PATCH", "/keys/bob", { owner: `o${number}` });
  await send("POST", "/keys", { name: "eve" });
  const seen: string[] = [];
  for (let before = ""; ;) {
    const { json } = await send("GET", `/audit?limit=2${before && `&before=${before}`}`);
    seen.push(...json.data.map((entry: Json) => `${entry.action} ${entry.details.owner?.to ?? ""}`));
    if (json.data.length < 2) break;
    before = json.data.at(-1).id;
  }
  const updates = [3, 2, 1, 0].map((number) => `update o${number}`);
  expect(seen).toEqual(["create ", ...updates, "create "]);
  for (const key of ["bob", id]) {
    const { json } = await send("GET", `/audit?key=${key}`);
    expect(json.data).toHaveLength(5);
    expect(json.data[0]).toMatchObject({ actor: "key_admin", key_id: id, source: "127.0.0.1" });
    expect(json.data[0].at).toMatch(/Z$/);
  }
});

test("the audit table records the forwarded address if the proxy is trusted, and the address of the connection otherwise", async () => {
  for (const [trusted, source] of [
    ["127.0.0.1", "192.0.2.7"],
    ["192.0.2.0/24", "127.0.0.1"],
  ] as const) {
    const gateway = await startKeyedGateway("http://127.0.0.1:9/api/v1", { TRUST_PROXY: trusted });
    await gateway.call(gateway.admin, {
      path: "/admin/v1/keys",
      body: '{"name":"bob"}',
      headers: { "x-forwarded-for": "192.0.2.7" },
    });
    const { data } = (await gateway.callAdmin("GET", "/audit?limit=1")).body;
    expect([trusted, data[0].source]).toEqual([trusted, source]);
  }
});
