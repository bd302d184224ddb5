import { expect, onTestFinished, test } from "vitest";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import type { RawResponse } from "../support/raw-client.ts";
import { formatResponse, type Script, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";

const BASE_PATHS = ["/openai/v1", "/v1", "/api/v1", "/anthropic/v1"];
const JSON_TYPE = { "content-type": "application/json" };
const OWN_KEYS = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };

const get = (port: number, path: string, secret = CALLER_KEY): Promise<RawResponse> =>
  sendRequest(port, { method: "GET", path, headers: { authorization: `Bearer ${secret}` }, body: "" });

async function startWithSimulator(): Promise<{ gateway: KeyedGateway; simulator: Simulator }> {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return { gateway: await startKeyedGateway(simulator.baseUrl), simulator };
}

async function createKey(gateway: KeyedGateway, models: readonly string[]): Promise<string> {
  return (await gateway.callAdmin("POST", "/keys", { name: "bob", models })).body.secret as string;
}

interface Entry {
  readonly id: string;
  readonly model_id: string;
}

/** The fields of lists, single models and errors that the tests read. Each response has some of them. */
interface CatalogResponse {
  readonly object: string;
  readonly data: readonly Entry[];
  readonly total_count: number;
  readonly links: { readonly next: string | null };
  readonly error: { readonly code: string };
}

function parse({ body }: RawResponse): CatalogResponse {
  return JSON.parse(body.toString()) as CatalogResponse;
}

test.each([
  ["models/count", "models/count"],
  ["models/count?output_modalities=all&user=bob", "models/count?output_modalities=all"],
  ["models/user?limit=2&offset=4", "models/user?offset=4&limit=2"],
  ["model/openai/gpt-4o-mini", "model/openai/gpt-4o-mini"],
  ["model/openai%2Fgpt-4o-mini", undefined],
  ["model/openai/gpt-4o-mini%3Afree", "model/openai/gpt-4o-mini:free"],
  ["models/~openai/gpt-latest/endpoints", "models/~openai/gpt-latest/endpoints"],
  ["embeddings/models?offset=1", "embeddings/models?offset=1&limit=500"],
  ["providers", "providers"],
  ["endpoints/zdr?api-version=1", "endpoints/zdr"],
])(
  "relays GET %s below every base path with the account's key and unchanged bytes",
  async (path, forwarded) => {
    const body = '{ "data" : [{"id":"a/b", "price":1.50}],"x":"\\u00e9é" }\n';
    const upstream = await startScriptedUpstream((socket) =>
      socket.write(formatResponse(200, { ...JSON_TYPE, "set-cookie": "a=b", "x-other": "1" }, body)),
    );
    const gateway = await startTestGateway(upstream.baseUrl);
    for (const basePath of BASE_PATHS) {
      const response = await get(gateway.port, `${basePath}/${path}`);
      expect([basePath, response.status]).toEqual([basePath, forwarded === undefined ? 404 : 200]);
      if (forwarded === undefined) continue;
      expect(response.body.toString()).toBe(body);
      expect(response.headers).toMatchObject({ ...JSON_TYPE, "x-other": "1" });
      expect(response.headers).not.toHaveProperty("set-cookie");
    }
    // All base paths share one cached response.
    expect(upstream.seen.map(({ line }) => line)).toEqual(
      forwarded === undefined ? [] : [`GET /api/v1/${forwarded} HTTP/1.1`],
    );
    for (const { headers } of upstream.seen) expect(headers["authorization"]).toBe(`Bearer ${ACCOUNT_KEY}`);
  },
);

test.each([
  ["model/openai/..", 404, "model_not_found"],
  ["model/..%2F..%2Fkeys/x", 404, "model_not_found"],
  ["model/openai/gpt%3Fa=b", 404, "model_not_found"],
  ["model/openai/gpt%23x", 404, "model_not_found"],
  ["model/a%20b/c", 404, "model_not_found"],
  ["models/openai/..%2Fx/endpoints", 404, "model_not_found"],
  ["models/%2e%2e/credits/endpoints", 404, "model_not_found"],
  ["providers?use_rss=true", 400, "invalid_value"],
  ["models/count?limit=5", 400, "invalid_value"],
  ["models/user?q=x", 400, "invalid_value"],
  ["models/user?limit=0", 400, "invalid_value"],
])("refuses GET %s with %i %s and sends nothing upstream", async (path, status, code) => {
  const upstream = await startScriptedUpstream((socket) => socket.destroy());
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await get(gateway.port, `/openai/v1/${path}`);
  expect([response.status, parse(response).error.code]).toEqual([status, code]);
  expect(upstream.connections).toBe(0);
});

test("a key with an allow-list receives only its models, in every list, count and page", async () => {
  const { gateway, simulator } = await startWithSimulator();
  const allowed = ["openai/*", "qwen/qwen3-32b"];
  const isAllowed = (id: string): boolean => id.startsWith("openai/") || id === "qwen/qwen3-32b";
  const secret = await createKey(gateway, allowed);
  const read = async (path: string, key = secret) => parse(await get(gateway.port, `/v1/${path}`, key));

  const whole = await read("models/user", gateway.caller);
  const data = whole.data.filter(({ id }) => isAllowed(id));
  expect(data.length).toBeGreaterThan(2);
  expect(await read("models/user")).toEqual({ ...whole, data, total_count: data.length });
  expect(await read("models/count")).toEqual({ data: { count: data.length } });
  const page = await read("models/user?limit=2");
  expect([page.data, page.total_count]).toEqual([data.slice(0, 2), data.length]);
  expect(page.links.next).toBe("/v1/models/user?offset=2&limit=2");
  const second = await read("models/user?offset=2&limit=2");
  expect(second.data).toEqual(data.slice(2, 4));

  const embeddings = await read("embeddings/models", gateway.caller);
  expect((await read("embeddings/models")).data).toEqual(embeddings.data.filter(({ id }) => isAllowed(id)));
  const zdr = await read("endpoints/zdr", gateway.caller);
  const usable = zdr.data.filter(({ model_id: id }) => /^openai\/|^qwen\/qwen3-32b/.test(id));
  // The simulator lists endpoints by dated name, and the allow-list has the plain name.
  expect(usable.some(({ model_id: id }) => id === "qwen/qwen3-32b-04-28")).toBe(true);
  expect((await read("endpoints/zdr")).data).toEqual(usable);
  expect(await read("providers")).toEqual(await read("providers", gateway.caller));
  expect(new Set(simulator.seen.map(({ url }) => url)).size).toBe(simulator.seen.length);
});

test("a model that the key may not use is not found, and OpenRouter is not asked for it", async () => {
  const { gateway, simulator } = await startWithSimulator();
  const secret = await createKey(gateway, ["openai/gpt-4o-mini"]);
  for (const path of ["model/openai/gpt-4o", "models/openai/gpt-4o/endpoints", "model/nobody/knows"]) {
    const response = await get(gateway.port, `/v1/${path}`, secret);
    expect([response.status, parse(response).error.code]).toEqual([404, "model_not_found"]);
  }
  expect(simulator.seen).toEqual([]);
  for (const path of ["model/openai/gpt-4o-mini", "models/openai/gpt-4o-mini/endpoints"]) {
    const response = await get(gateway.port, `/v1/${path}`, secret);
    expect(parse(response)).toMatchObject({ data: { id: "openai/gpt-4o-mini" } });
  }
});

test.each([
  [404, '{"error":{"code":404,"message":"No model"}}'],
  [429, '{"error":{"code":429,"message":"Slow down"}}'],
  [500, '{"error":{"code":500,"message":"Sorry"}}'],
])("relays OpenRouter's status %i with its bytes, and does not cache it", async (status, body) => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(status, { ...JSON_TYPE, "retry-after": "7" }, body)),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  for (const sent of [1, 2]) {
    const response = await get(gateway.port, "/v1/providers");
    expect([response.status, response.body.toString()]).toEqual([status, body]);
    expect(response.headers["retry-after"]).toBe("7");
    expect(upstream.seen.length).toBe(sent);
  }
  expect(await gateway.waitForRequestLog("the relayed error")).toMatchObject({
    status,
    outcome: "upstream_error",
  });
});

test.each([
  ["OpenRouter rejects the account's key", formatResponse(401, JSON_TYPE, "{}"), 502, "upstream_auth_failed"],
  [
    "the edge sends a page",
    formatResponse(503, { "content-type": "text/html" }, "<b>"),
    503,
    "upstream_error",
  ],
  [
    "a success is not JSON",
    formatResponse(200, { "content-type": "text/html" }, "<b>"),
    502,
    "upstream_error",
  ],
  ["OpenRouter redirects", formatResponse(302, { location: "/x", ...JSON_TYPE }), 502, "upstream_error"],
])("sends its own error when %s", async (_, bytes, status, code) => {
  const upstream = await startScriptedUpstream((socket) => socket.write(bytes));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await get(gateway.port, "/v1/providers");
  expect([response.status, parse(response).error.code]).toEqual([status, code]);
  const anthropic = await get(gateway.port, "/anthropic/v1/providers");
  expect(parse(anthropic)).toMatchObject({ type: "error", error: { code } });
});

test("a key with an allow-list gets 502 if OpenRouter's list cannot be filtered", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, JSON_TYPE, '{"data":{"a":1}}')),
  );
  const gateway = await startKeyedGateway(upstream.baseUrl);
  const secret = await createKey(gateway, ["openai/*"]);
  const response = await get(gateway.port, "/v1/models/user", secret);
  expect([response.status, parse(response).error.code]).toEqual([502, "upstream_bad_response"]);
});

test("concurrent requests share one fetch, and one caller has at most four fetches in flight", async () => {
  const held: (() => void)[] = [];
  const script: Script = (socket) =>
    void held.push(() => socket.write(formatResponse(200, JSON_TYPE, '{"data":[]}')));
  const upstream = await startScriptedUpstream(script);
  const gateway = await startTestGateway(upstream.baseUrl);
  const same = [1, 2, 3].map(() => get(gateway.port, "/v1/providers"));
  const others = [1, 2, 3].map((number) => get(gateway.port, `/v1/model/a/b${number}`));
  await expect.poll(() => upstream.seen.length).toBe(4);
  const refused = await get(gateway.port, "/v1/endpoints/zdr");
  expect([refused.status, parse(refused).error.code]).toEqual([503, "overloaded"]);
  for (const respond of held) respond();
  for (const response of await Promise.all([...same, ...others])) expect(response.status).toBe(200);
  expect(upstream.seen.length).toBe(4);
});

test("without an account, the client's key is sent, and clients share no response", async () => {
  const upstream = await startScriptedUpstream((socket, { headers }) =>
    socket.write(formatResponse(200, JSON_TYPE, JSON.stringify({ data: headers["authorization"] }))),
  );
  const gateway = await startTestGateway(upstream.baseUrl, OWN_KEYS);
  for (const secret of ["sk-or-v1-a", "sk-or-v1-b", "sk-or-v1-a"])
    expect(parse(await get(gateway.port, "/v1/models/user", secret))).toEqual({ data: `Bearer ${secret}` });
  expect(upstream.seen.length).toBe(2);
});

test("without an account, OpenRouter's 401 for the client's key is relayed", async () => {
  const body = '{"error":{"message":"User not found.","code":401}}';
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(401, JSON_TYPE, body)),
  );
  const gateway = await startTestGateway(upstream.baseUrl, OWN_KEYS);
  const response = await get(gateway.port, "/v1/providers", "sk-or-v1-wrong");
  expect([response.status, response.body.toString()]).toEqual([401, body]);
});

test.each(["/v1/models?limit=1000", "/anthropic/v1/models?limit=1000"])(
  "GET %s serves Claude Code, OpenAI's SDKs and Anthropic's alike, with either header",
  async (path) => {
    const { gateway } = await startWithSimulator();
    for (const headers of [
      { authorization: `Bearer ${gateway.caller}` },
      { authorization: undefined, "x-api-key": gateway.caller, "anthropic-version": "2023-06-01" },
    ]) {
      const startedAt = performance.now();
      const response = await sendRequest(gateway.port, { method: "GET", path, headers, body: "" });
      expect(performance.now() - startedAt).toBeLessThan(3_000);
      expect(response.status).toBe(200);
      const list = parse(response);
      expect(list.object).toBe("list");
      expect(list.data.length).toBe(list.total_count);
      // Claude Code offers the models whose ids begin so.
      expect(list.data.some(({ id }) => id.startsWith("anthropic/"))).toBe(true);
      expect(list.data[0]).toMatchObject({ object: "model", id: expect.any(String) as string });
    }
  },
);
