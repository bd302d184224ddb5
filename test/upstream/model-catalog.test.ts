import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";

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
const MODELS_RESPONSE = formatResponse(200, { "content-type": "application/json" }, JSON.stringify(MODELS));

test("the list of models has OpenAI's and OpenRouter's fields", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(MODELS_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await sendRequest(gateway.port, { method: "GET", path: "/openai/v1/models", body: "" });
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
])("finds a model by the path %s", async (path, id) => {
  const upstream = await startScriptedUpstream((socket) => socket.write(MODELS_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await sendRequest(gateway.port, {
    method: "GET",
    path: `/openai/v1/models/${path}`,
    body: "",
  });
  expect(response.status).toBe(200);
  const model = MODELS.data.find((entry) => entry.id === id);
  expect(JSON.parse(response.body.toString())).toEqual({
    ...model,
    object: "model",
    owned_by: id.split("/")[0],
  });
});

test("returns 404 model_not_found for a model that is not in the list", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(MODELS_RESPONSE));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await sendRequest(gateway.port, {
    method: "GET",
    path: "/openai/v1/models/openai/none",
    body: "",
  });
  expect([response.status, JSON.parse(response.body.toString())]).toMatchObject([
    404,
    { error: { code: "model_not_found" } },
  ]);
});

test("returns an upstream error when upstream does not send its list", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(formatResponse(500, {}, "no")));
  const gateway = await startTestGateway(upstream.baseUrl);
  const response = await sendRequest(gateway.port, { method: "GET", path: "/openai/v1/models", body: "" });
  expect([response.status, JSON.parse(response.body.toString())]).toMatchObject([
    502,
    { error: { type: "upstream_error" } },
  ]);
});

test("disconnects a client that does not read the list of models", async () => {
  const data = Array.from({ length: 20_000 }, (_, index) => ({
    id: `a/${index}`,
    description: "x".repeat(1_000),
  }));
  const response = formatResponse(200, { "content-type": "application/json" }, JSON.stringify({ data }));
  const upstream = await startScriptedUpstream((socket) => socket.write(response));
  const gateway = await startTestGateway(upstream.baseUrl, { CLIENT_STALL_TIMEOUT_MS: "300" });
  const client = new RawClient(gateway.port);
  client.socket.pause();
  client.send(
    `GET /openai/v1/models HTTP/1.1\r\nhost: gateway\r\nauthorization: ${AUTHORIZATION.authorization}\r\n\r\n`,
  );
  expect(await gateway.waitForRequestLog("the list")).toMatchObject({ outcome: "client_gone", status: 200 });
});

test("skips entries without a usable id, counts the others, and logs the number of skipped entries once", async () => {
  const bad = [null, 7, "text", [], {}, { name: "no id" }, { id: null }, { id: 5 }, { id: "" }, { id: " " }];
  const models = { ...MODELS, data: [...bad, ...MODELS.data, ...bad], total_count: 23 };
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, {}, JSON.stringify(models))),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  for (const path of ["/openai/v1/models", "/openai/v1/models?q=a"]) {
    const response = await sendRequest(gateway.port, { method: "GET", path, body: "" });
    const list = JSON.parse(response.body.toString()) as typeof MODELS;
    expect([response.status, list.data.map(({ id }) => id), list.total_count]).toEqual([
      200,
      MODELS.data.map(({ id }) => id),
      3,
    ]);
  }
  const lines = gateway.logs.filter(({ msg }) => String(msg).startsWith("models:"));
  expect(lines).toMatchObject([{ level: 40, entries: 20 }]);
});

test.each(["{}", "null", "[]", '{"data":null}', '{"data":{}}', '{"data":[{"name":"no id"}]}', "<html>"])(
  "rejects %s as a list of models",
  async (body) => {
    const upstream = await startScriptedUpstream((socket) => socket.write(formatResponse(200, {}, body)));
    const gateway = await startTestGateway(upstream.baseUrl);
    const response = await sendRequest(gateway.port, { method: "GET", path: "/openai/v1/models", body: "" });
    expect([response.status, JSON.parse(response.body.toString())]).toMatchObject([
      502,
      { error: { code: "upstream_bad_response" } },
    ]);
  },
);
