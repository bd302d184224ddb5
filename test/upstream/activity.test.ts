import { createHash } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { createActivityReader, findKeyHash } from "../../src/upstream/activity.ts";
import { connectUpstream, type Upstream } from "../../src/upstream/openrouter.ts";
import { startJsonServer } from "../support/json-server.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTestSimulator } from "../support/simulator.ts";

const KEYS = { apiKey: "sk-or-v1-account-secret", managementKey: "sk-or-v1-management-secret" };
const DIGEST = createHash("sha256").update(KEYS.apiKey).digest("hex");
const LINE = {
  date: "2026-11-01",
  model: "a/b",
  model_permaslug: "a/b-2026",
  usage: 0.1 + 0.2,
  byok_usage_inference: 1e-7,
  requests: 3,
  prompt_tokens: 4,
  completion_tokens: 5,
  reasoning_tokens: 6,
};

function connect(baseUrl: string): Upstream {
  const upstream = connectUpstream(loadConfig({ OPENROUTER_BASE_URL: baseUrl }).upstream);
  onTestFinished(() => upstream.close());
  return upstream;
}

test("fetches the sums of one day and key, with amounts in exact nanodollars", async () => {
  const { baseUrl, requests } = await startJsonServer(() => ({
    data: [LINE, { ...LINE, date: "2026-11-02" }],
  }));
  const fetchActivity = createActivityReader(connect(baseUrl), KEYS.managementKey, "hash");
  expect(await fetchActivity("2026-11-01")).toEqual([
    {
      model: "a/b",
      permaslug: "a/b-2026",
      requests: 3n,
      prompt_tokens: 4n,
      completion_tokens: 5n,
      reasoning_tokens: 6n,
      cost_nanodollars: 300_000_000n,
      byok_nanodollars: 100n,
    },
  ]);
  expect(requests).toEqual([
    `/api/v1/activity?date=2026-11-01&api_key_hash=hash Bearer ${KEYS.managementKey}`,
  ]);
});

test.each([
  ["no list", {}],
  ["an amount that is no number", [{ ...LINE, usage: "1" }]],
  ["a count that is no whole number", [{ ...LINE, requests: 1.5 }]],
  ["no model", [{ ...LINE, model: null }]],
])("rejects a response with %s", async (_, data) => {
  const { baseUrl } = await startJsonServer(() => ({ data }));
  const fetchActivity = createActivityReader(connect(baseUrl), KEYS.managementKey, undefined);
  await expect(fetchActivity("2026-11-01")).rejects.toMatchObject({ code: "upstream_bad_response" });
});

test("finds the gateway's key by the SHA-256 of the key", async () => {
  const simulator = await startTestSimulator({
    apiKeys: [KEYS.apiKey],
    managementKey: KEYS.managementKey,
  });
  expect(await findKeyHash(connect(simulator.baseUrl), KEYS)).toBe(DIGEST);
});

test("finds the gateway's key by its label on any page, if only one key has the label", async () => {
  const keys = [
    { label: "other", hash: "h0" },
    { label: "mine", hash: "h1" },
  ];
  const { baseUrl } = await startJsonServer((path) => {
    if (path.endsWith("/key")) return { data: { label: "mine" } };
    if (!path.includes("/keys?")) return { data: null };
    const offset = Number(new URL(path, "http://x").searchParams.get("offset"));
    return { data: keys.slice(offset, offset + 1) };
  });
  expect(await findKeyHash(connect(baseUrl), KEYS)).toBe("h1");
  keys.push({ label: "mine", hash: "h2" });
  expect(await findKeyHash(connect(baseUrl), KEYS)).toBeUndefined();
});

test("names the setting when OpenRouter refuses the key of the gateway", async () => {
  const { managementKey } = KEYS;
  const simulator = await startTestSimulator({ managementKey, apiKeys: ["another"] });
  const error = await findKeyHash(connect(simulator.baseUrl), KEYS).catch(String);
  expect(error).toContain(
    "OpenRouter refused OPENROUTER_API_KEY for /key with status 401; set it to a valid key.",
  );
});

test("names the setting when OpenRouter refuses the management key, without the key itself", async () => {
  const simulator = await startTestSimulator({ managementKey: "another" });
  const error = await findKeyHash(connect(simulator.baseUrl), KEYS).catch(String);
  expect(error).toContain("OpenRouter refused OPENROUTER_MANAGEMENT_KEY for /keys/{hash} with status 403");
  expect(error).not.toContain("secret");
});

test("retries after a 429 and after a 5xx", async () => {
  let count = 0;
  const upstream = await startScriptedUpstream((connection) => {
    const status = [429, 503, 200][Math.min(count++, 2)] ?? 200;
    const body = status === 200 ? JSON.stringify({ data: [] }) : "{}";
    connection.write(`HTTP/1.1 ${status} X\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
  const fetchActivity = createActivityReader(connect(upstream.baseUrl), KEYS.managementKey, undefined);
  expect(await fetchActivity("2026-11-01")).toEqual([]);
  expect(count).toBe(3);
});
