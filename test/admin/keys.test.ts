import { expect, onTestFinished, test } from "vitest";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { openDatabase } from "../../src/store/database.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

const MODELS = { method: "GET", path: "/openai/v1/models", body: "" };

async function start() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return { simulator, gateway: await startKeyedGateway(simulator.baseUrl) };
}

/** A change of a key takes effect within 2 s. @param label names the effect. */
async function expectWithin2s(probe: () => Promise<boolean>, label: string): Promise<void> {
  expect(await measureRunningMs(waitUntil(probe, label))).toBeLessThan(2_000);
}

test("a new key is valid at once, and its secret is never shown again", async () => {
  const { gateway } = await start();
  const created = await gateway.callAdmin("POST", "/keys", {
    name: "bob",
    owner: "Bob",
    metadata: { team: "a" },
  });
  expect(created).toMatchObject({
    status: 201,
    body: { name: "bob", owner: "Bob", role: "caller", models: null },
  });
  const { secret, ...shown } = created.body;
  expect(secret).toMatch(/^sk-slc-[0-9A-Za-z]{49}$/);
  expect((await gateway.call(secret)).status).toBe(200);
  const found = await gateway.callAdmin("GET", "/keys/bob");
  expect(found.body).toMatchObject({ id: shown.id, prefix: secret.slice(0, 12) });
  for (const path of ["/keys", "/keys/bob", "/audit"])
    expect(JSON.stringify(await gateway.callAdmin("GET", path))).not.toContain(secret);
});

test("a revoked or disabled key is refused within 2 s, and a key that is enabled again is accepted", async () => {
  const { gateway } = await start();
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body;
  const status = async (): Promise<number> => (await gateway.call(secret)).status;
  expect(await status()).toBe(200);
  await gateway.callAdmin("PATCH", "/keys/bob", { disabled: true });
  await expectWithin2s(async () => (await status()) === 401, "the disabled key to be refused");
  await gateway.callAdmin("PATCH", "/keys/bob", { disabled: false });
  await expectWithin2s(async () => (await status()) === 200, "the key to be accepted again");
  expect((await gateway.callAdmin("DELETE", "/keys/bob")).body.revoked_at).not.toBeNull();
  await expectWithin2s(async () => (await status()) === 401, "the revoked key to be refused");
});

test("with ALLOW_ANONYMOUS, a revoked key is refused with 401 instead of being treated as anonymous", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const dataDir = createTemporaryDirectory();
  const gateway = await startKeyedGateway(simulator.baseUrl, { DATA_DIR: dataDir, ALLOW_ANONYMOUS: "true" });
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  const service = new KeyService(database);
  const by = { actor: "cli", source: "somebody@somewhere" };
  const { secret } = await service.create(newKeySchema.parse({ name: "bob", models: ["google/*"] }), by);
  expect((await gateway.call(secret)).status).toBe(403);
  await service.revoke("bob", by);
  await waitUntil(async () => (await gateway.call(secret)).status !== 403, "the key to be revoked");
  expect((await gateway.call(secret)).status).toBe(401);
  for (const other of ["sk-anything", "x"]) expect((await gateway.call(other)).status).toBe(200);
});

test("detects a mistyped key without a look-up, and logs MISTYPED_KEY", async () => {
  const { gateway } = await start();
  const mistyped = gateway.caller.replace(/.$/, (last) => (last === "a" ? "b" : "a"));
  expect((await gateway.call(mistyped)).status).toBe(401);
  await waitUntil(() => gateway.readLog().includes('"cause":"MISTYPED_KEY"'), "the log line");
  expect(gateway.readLog()).not.toContain(mistyped);
});

test("does not audit an update that changes nothing", async () => {
  const { gateway } = await start();
  await gateway.callAdmin("POST", "/keys", { name: "bob", owner: "Bob" });
  for (const body of [{}, { owner: "Bob" }])
    expect(await gateway.callAdmin("PATCH", "/keys/bob", body)).toMatchObject({
      status: 200,
      body: { owner: "Bob" },
    });
  const { data } = (await gateway.callAdmin("GET", "/audit?key=bob")).body;
  expect(data.map(({ action }: { action: string }) => action)).toEqual(["create"]);
});

test("after a rotation both secrets are valid; after a rotation with grace_ms 0, only the new secret is", async () => {
  const { gateway } = await start();
  const { secret: first } = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body;
  const { secret: second } = (await gateway.callAdmin("POST", "/keys/bob/rotate")).body;
  for (const secret of [first, second]) expect((await gateway.call(secret)).status).toBe(200);
  const { secret: third } = (await gateway.callAdmin("POST", "/keys/bob/rotate", { grace_ms: 0 })).body;
  for (const secret of [first, second])
    await expectWithin2s(
      async () => (await gateway.call(secret)).status === 401,
      "old secrets to be refused",
    );
  expect((await gateway.call(third)).status).toBe(200);
});

test("a key can list and use only the models that match its patterns", async () => {
  const { gateway, simulator } = await start();
  const { secret } = (
    await gateway.callAdmin("POST", "/keys", { name: "bob", models: ["google/*", "*:free"] })
  ).body;
  const listed = JSON.parse((await gateway.call(secret, MODELS)).body.toString()) as {
    data: { id: string }[];
  };
  expect(listed.data.length).toBeGreaterThan(0);
  expect(listed.data.filter(({ id }) => !id.startsWith("google/") && !id.endsWith(":free"))).toEqual([]);
  const other = await gateway.call(secret, { ...MODELS, path: "/openai/v1/models/openai/gpt-4o-mini" });
  expect(other.status).toBe(404);
  const google = "openrouter/google/gemini-3-flash-preview";
  expect((await gateway.call(secret, { body: buildChatBody({ model: google }) })).status).toBe(200);
  const before = simulator.readStats().requests;
  const forbidden: Record<string, unknown>[] = [
    {},
    { model: "openrouter/openai/gpt-4o-mini" },
    { model: google, models: ["openai/gpt-4o-mini"] },
    { model: "google/x@preset/any" },
    { model: google, preset: "any" },
  ];
  for (const fields of forbidden) {
    const response = await gateway.call(secret, { body: buildChatBody(fields) });
    expect([fields, response.status, JSON.parse(response.body.toString()).error.code]).toEqual([
      fields,
      403,
      "model_not_allowed",
    ]);
  }
  expect(simulator.readStats().requests).toBe(before);
});

test("audits every change with actor, action, details and source", async () => {
  const { gateway } = await start();
  await gateway.callAdmin("POST", "/keys", { name: "bob" });
  await gateway.callAdmin("PATCH", "/keys/bob", { owner: "Bob" });
  await gateway.callAdmin("POST", "/keys/bob/rotate");
  await gateway.callAdmin("DELETE", "/keys/bob");
  const { data } = (await gateway.callAdmin("GET", "/audit")).body;
  expect(data.map((entry: { action: string }) => entry.action)).toEqual([
    "revoke",
    "rotate",
    "update",
    "create",
    "create",
    "create",
  ]);
  expect(data[2]).toMatchObject({ source: "127.0.0.1", details: { owner: { from: null, to: "Bob" } } });
  expect(data[2].actor).toMatch(/^key_/);
});

test.each([
  ["POST", "/keys", { name: "a b" }, 400, "name"],
  ["POST", "/keys", { name: "x", unknown: 1 }, 400, "unknown"],
  ["POST", "/keys", {}, 400, "name"],
  ["POST", "/keys", { name: "x", models: [] }, 400, "models"],
  ["POST", "/keys", { name: "x", expires_at: "2020-01-01T00:00:00Z" }, 400, "expires_at"],
  ["POST", "/keys", { name: "first-caller" }, 409, "name"],
  ["PATCH", "/keys/nobody", { owner: "x" }, 404, "key"],
  ["GET", "/keys?limit=0", undefined, 400, "limit"],
  ["GET", "/usage?by=nothing", undefined, 400, "by"],
  ["GET", "/usage?from=yesterday", undefined, 400, "from"],
  ["GET", "/requests?format=xml", undefined, 400, "format"],
])("refuses %s %s with the body %j: status %d, param %s", async (...row) => {
  const [method, path, body, status, param] = row;
  const { gateway } = await start();
  const response = await gateway.callAdmin(method, path, body);
  expect([response.status, response.body.error.param]).toEqual([status, param]);
});

test("the admin API refuses caller keys, and the model API refuses admin keys", async () => {
  const { gateway } = await start();
  const asCaller = await gateway.call(gateway.caller, { method: "GET", path: "/admin/v1/keys", body: "" });
  expect(asCaller.status).toBe(403);
  expect((await gateway.call(gateway.admin)).status).toBe(403);
  expect((await gateway.call("sk-slc-x", { method: "GET", path: "/admin/v1/keys", body: "" })).status).toBe(
    401,
  );
  expect((await gateway.callAdmin("PUT", "/keys", {})).status).toBe(405);
});
