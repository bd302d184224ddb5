import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { ModelCatalog } from "../../src/upstream/model-catalog.ts";
import type { UpstreamSink } from "../../src/upstream/call.ts";
import type { Upstream } from "../../src/upstream/openrouter.ts";
import { ask } from "../support/ask.ts";
import { AUTHORIZATION } from "../support/chat.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { responseBytes, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { idleCall } from "../support/upstream-call.ts";

const MODELS = {
  data: [
    {
      id: "openai/gpt-4o:free",
      name: "GPT-4o",
      created: 1_715_367_049,
      pricing: { prompt: "0" },
      context_length: 128_000,
    },
    { id: "~openai/gpt-latest", name: "Latest", created: 1 },
    { id: "openrouter/auto", name: "Auto", created: 2 },
  ],
  total_count: 3,
};
const ANSWER = responseBytes(200, { "content-type": "application/json" }, JSON.stringify(MODELS));

test("the list has OpenAI's fields and OpenRouter's", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(ANSWER));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await ask(gateway.port, { method: "GET", path: "/openai/v1/models", body: "" });
  const data = MODELS.data.map((model) => ({ ...model, object: "model", owned_by: model.id.split("/")[0] }));
  expect(JSON.parse(response.body.toString())).toEqual({ object: "list", ...MODELS, data });
});

test.each([
  ["openai/gpt-4o:free", "openai/gpt-4o:free"],
  ["openai%2Fgpt-4o:free", "openai/gpt-4o:free"],
  ["openai%2Fgpt-4o%3Afree", "openai/gpt-4o:free"],
  ["openrouter/openai/gpt-4o:free", "openai/gpt-4o:free"],
  ["openrouter%2Fopenai%2Fgpt-4o:free", "openai/gpt-4o:free"],
  ["~openai/gpt-latest", "~openai/gpt-latest"],
  ["openrouter/auto", "openrouter/auto"],
  ["openrouter/openrouter/auto", "openrouter/auto"],
])("a model is found as %s", async (path, id) => {
  const upstream = await startScriptedUpstream((socket) => socket.write(ANSWER));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await ask(gateway.port, { method: "GET", path: `/openai/v1/models/${path}`, body: "" });
  expect(response.status).toBe(200);
  const model = MODELS.data.find((one) => one.id === id);
  expect(JSON.parse(response.body.toString())).toEqual({
    ...model,
    object: "model",
    owned_by: id.split("/")[0],
  });
});

test("a model that is not listed is 404 model_not_found", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(ANSWER));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await ask(gateway.port, {
    method: "GET",
    path: "/openai/v1/models/openai/none",
    body: "",
  });
  expect([response.status, JSON.parse(response.body.toString())]).toMatchObject([
    404,
    { error: { code: "model_not_found" } },
  ]);
});

test("an upstream whose list cannot be had is an error of upstream's", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(responseBytes(500, {}, "no")));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await ask(gateway.port, { method: "GET", path: "/openai/v1/models", body: "" });
  expect([response.status, JSON.parse(response.body.toString())]).toMatchObject([
    502,
    { error: { type: "upstream_error" } },
  ]);
});

test("a caller that never reads its list is let go", async () => {
  const data = Array.from({ length: 20_000 }, (_, index) => ({
    id: `a/${index}`,
    description: "x".repeat(1_000),
  }));
  const answer = responseBytes(200, { "content-type": "application/json" }, JSON.stringify({ data }));
  const upstream = await startScriptedUpstream((socket) => socket.write(answer));
  const gateway = await startTestGateway(upstream.baseUrl, { CLIENT_STALL_TIMEOUT_MS: "300" });
  const client = new RawClient(gateway.port);
  client.socket.pause();
  client.send(
    `GET /openai/v1/models HTTP/1.1\r\nhost: gateway\r\nauthorization: ${AUTHORIZATION.authorization}\r\n\r\n`,
  );
  expect(await gateway.requestLog("the list")).toMatchObject({ outcome: "client_gone", status: 200 });
});

/** An upstream whose answers come when the test says so, on a clock the test sets. */
function controlled() {
  const call = idleCall({});
  const sinks: UpstreamSink[] = [];
  const upstream: Upstream = {
    send: (_, sink) => {
      sinks.push(sink);
      return call;
    },
    close: () => Promise.resolve(),
  };
  const clock = { now: 0 };
  const answer = (data: { id: string }[]): void => {
    const sink = sinks.at(-1);
    sink?.onHead({ status: 200, headers: {} });
    sink?.onData(Buffer.from(JSON.stringify({ data })));
    sink?.onEnd();
  };
  return { sinks, clock, answer, catalog: new ModelCatalog(upstream, undefined, () => clock.now) };
}

test("requests that come together share one fetch", async () => {
  const { catalog, sinks, answer } = controlled();
  const lists = [catalog.list(), catalog.list(), catalog.list()];
  answer([{ id: "a/b" }]);
  expect(new Set(await Promise.all(lists)).size).toBe(1);
  expect(sinks.length).toBe(1);
});

test("a list is served until it is old, then once more while a new one is fetched", async () => {
  const { catalog, sinks, clock, answer } = controlled();
  const first = catalog.list();
  answer([{ id: "a/old" }]);
  const list = await first;
  clock.now = 299_000;
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(1);
  clock.now = 301_000;
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(2);
  answer([{ id: "a/new" }]);
  await expect.poll(() => catalog.find("a/new")).toBeDefined();
});

test("the list of before is served while upstream fails, and upstream is not asked again at once", async () => {
  const { catalog, sinks, clock, answer } = controlled();
  const first = catalog.list();
  answer([{ id: "a/b" }]);
  const list = await first;
  clock.now = 301_000;
  expect(await catalog.list()).toBe(list);
  sinks.at(-1)?.onFailure(new GatewayError("upstream_unreachable", "gone"));
  expect(await catalog.list()).toBe(list);
  await Promise.resolve();
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(2);
  clock.now = 312_000;
  await catalog.list();
  expect(sinks.length).toBe(3);
});
