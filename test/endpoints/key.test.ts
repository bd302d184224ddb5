import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";

const KEY = { method: "GET", path: "/openai/v1/key", body: "" };
const NO_USAGE = {
  creator_user_id: null,
  limit: null,
  limit_remaining: null,
  limit_reset: null,
  include_byok_in_limit: false,
  usage: 0,
  usage_daily: 0,
  usage_weekly: 0,
  usage_monthly: 0,
  byok_usage: 0,
  byok_usage_daily: 0,
  byok_usage_weekly: 0,
  byok_usage_monthly: 0,
  is_free_tier: false,
  is_management_key: false,
  is_provisioning_key: false,
  expires_at: null,
  rate_limit: { requests: -1, interval: "10s", note: "This field is deprecated and safe to ignore." },
};

async function startUpstream() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return simulator;
}

test("without a database, the response for a configured key has every field of OpenRouter's /key, and no usage", async () => {
  const { baseUrl } = await startUpstream();
  const gateway = await startTestGateway(baseUrl);
  const response = await sendRequest(gateway.port, KEY);
  expect([response.status, JSON.parse(response.body.toString())]).toEqual([
    200,
    { data: { label: "team", ...NO_USAGE } },
  ]);
});

test("a key with an expiry date has expires_at", async () => {
  const { baseUrl } = await startUpstream();
  const gateway = await startKeyedGateway(baseUrl);
  const expires_at = "2099-01-01T00:00:00.000Z";
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob", expires_at })).body;
  const response = await gateway.call(secret, KEY);
  expect(JSON.parse(response.body.toString())).toEqual({ data: { label: "bob", ...NO_USAGE, expires_at } });
});

test.each([
  [
    "with its own OpenRouter key",
    { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined },
    "Bearer sk-or-v1-mine",
  ],
  ["without a key", { ALLOW_ANONYMOUS: "true", GATEWAY_API_KEYS: undefined }, undefined],
])("responds with 404 to a client %s", async (_who, env, authorization) => {
  const simulator = await startUpstream();
  const gateway = await startTestGateway(simulator.baseUrl, { DATA_DIR: undefined, ...env });
  const headers = { authorization };
  const response = await sendRequest(gateway.port, { ...KEY, headers });
  expect([response.status, JSON.parse(response.body.toString()).error.code]).toEqual([404, "unknown_url"]);
  expect(simulator.seen).toEqual([]);
});

test("rejects an unknown key, an admin key and other methods", async () => {
  const { baseUrl } = await startUpstream();
  const gateway = await startKeyedGateway(baseUrl);
  expect((await gateway.call("sk-unknown", KEY)).status).toBe(401);
  expect((await gateway.call(gateway.admin, KEY)).status).toBe(403);
  expect((await gateway.call(gateway.caller, { ...KEY, method: "DELETE" })).status).toBe(405);
});

test("responds with 503 and retry-after while the ledger cannot be read", async () => {
  const { baseUrl } = await startUpstream();
  const gateway = await startKeyedGateway(baseUrl);
  const ledger = new DatabaseSync(join(gateway.dataDir, "sluice.db"));
  onTestFinished(() => ledger.close());
  ledger.exec("alter table rollups_daily rename to elsewhere");
  const response = await gateway.call(gateway.caller, KEY);
  expect([response.status, response.headers["retry-after"]]).toEqual([503, "2"]);
  expect(JSON.parse(response.body.toString()).error.code).toBe("store_unavailable");
  ledger.exec("alter table elsewhere rename to rollups_daily");
  expect((await gateway.call(gateway.caller, KEY)).status).toBe(200);
});
