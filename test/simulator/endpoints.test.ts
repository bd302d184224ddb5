import { expect, test } from "vitest";
import {
  ENDPOINTS,
  STREAMING,
  expectBilled,
  readBilling,
  readEvents,
  readJson,
  sendTo,
} from "../support/model-endpoints.ts";
import { startTestSimulator } from "../support/simulator.ts";

const LAST: Readonly<Record<string, RegExp>> = {
  "/messages": /event: message_stop\ndata: \{"type":"message_stop"\}\n\n$/,
};
const DONE = /\n\ndata: \[DONE\]\n\n$/;

test.each(ENDPOINTS)("$path bills a plain response by its usage", async (endpoint) => {
  const simulator = await startTestSimulator();
  const response = await sendTo(simulator, endpoint);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
  const billing = readBilling([await readJson(response)]);
  expect(billing.id).toMatch(/^gen-(?:emb-|rerank-)?\d+-\w{20}$/);
  expect(response.headers.get("x-generation-id")).toBe(billing.id);
  const record = await expectBilled(simulator, billing);
  const { model } = endpoint;
  expect(record).toMatchObject({ api_type: endpoint.apiType, streamed: false, model });
  expect(record["total_cost"]).toBe(billing.usage["cost"]);
});

test.each(STREAMING)("$path bills a stream by its usage", async (endpoint) => {
  const simulator = await startTestSimulator();
  const response = await sendTo(simulator, endpoint, { stream: true });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const text = await response.text();
  expect(text).toMatch(LAST[endpoint.path] ?? DONE);
  const billing = readBilling(readEvents(text));
  expect(response.headers.get("x-generation-id")).toBe(billing.id);
  const record = await expectBilled(simulator, billing);
  expect(record).toMatchObject({ api_type: "completions", streamed: true, cancelled: false });
});

test.each(STREAMING)("$path states the same usage with and without a stream", async (endpoint) => {
  const simulator = await startTestSimulator();
  for (const fields of [{}, { model: "deepseek/deepseek-r1" }]) {
    const plain = readBilling([await readJson(await sendTo(simulator, endpoint, fields))]);
    const stream = await (await sendTo(simulator, endpoint, { ...fields, stream: true })).text();
    expect(plain.usage).toMatchObject(readBilling(readEvents(stream)).usage);
  }
});

test.each(ENDPOINTS)("$path can leave out the header with the id, and the cost", async (endpoint) => {
  const simulator = await startTestSimulator();
  const response = await sendTo(simulator, endpoint, { model: "sim/ok:idHeader=0,cost=0" });
  expect(response.headers.has("x-generation-id")).toBe(false);
  const text = await response.text();
  expect(text).not.toMatch(/"(cost|is_byok|cost_details)"/);
  const { id } = readBilling([JSON.parse(text) as Record<string, unknown>]);
  expect(simulator.findBilledNanodollars(id)).toBeGreaterThan(0);
});

test.each(ENDPOINTS)("$path bills a BYOK request its fee", async (endpoint) => {
  const simulator = await startTestSimulator();
  const json = await readJson(await sendTo(simulator, endpoint, { model: "sim/ok:byok=1" }));
  const record = await expectBilled(simulator, readBilling([json]));
  expect(record).toMatchObject({ is_byok: true });
  expect(Number(record["upstream_inference_cost"])).toBeCloseTo(Number(record["total_cost"]) * 20, 9);
});

test.each([
  ["/chat/completions", {}, 'Input required: specify "messages"'],
  ["/completions", {}, 'Input required: specify "prompt"'],
  ["/responses", {}, 'Input required: specify "input"'],
  ["/messages", {}, "Invalid request: messages field is required"],
  ["/embeddings", { input: [] }, 'Input required: specify "input"'],
  ["/rerank", { query: "x" }, 'Input required: specify "query" and "documents"'],
  ["/messages", { messages: [] }, "x/y is not a valid model ID"],
  ["/responses", { input: "x" }, "x/y is not a valid model ID"],
  ["/embeddings", { input: "x" }, "Model x/y does not exist"],
  ["/rerank", { query: "x", documents: ["y"] }, "Model x/y does not exist"],
])("%s refuses %j with %s", async (path, input, message) => {
  const simulator = await startTestSimulator();
  const response = await sendTo(simulator, { path, model: "x/y", input });
  expect(response.status).toBe(400);
  const anthropic = {
    type: "error",
    error: { type: "invalid_request_error", message },
    request_id: null,
  };
  expect(await readJson(response)).toMatchObject(
    path === "/messages" ? anthropic : { error: { code: 400, message } },
  );
});

test("text and embedding models serve only their own endpoints", async () => {
  const simulator = await startTestSimulator();
  const swapped = ENDPOINTS.map(({ streams }) =>
    streams ? "openai/text-embedding-3-small" : "openai/gpt-4o-mini",
  );
  for (const [i, endpoint] of ENDPOINTS.entries()) {
    expect((await sendTo(simulator, endpoint, { model: swapped[i] })).status).toBe(400);
  }
});

test("a reranker that charges for searches is billed by its search units", async () => {
  const simulator = await startTestSimulator();
  const documents = Array.from({ length: 101 }, (_, i) => ({ text: `document ${i}` }));
  const model = "cohere/rerank-v3.5";
  const response = await sendTo(simulator, {
    path: "/rerank",
    model,
    input: { query: "document", documents },
  });
  const billing = readBilling([await readJson(response)]);
  expect(billing.usage).toMatchObject({ search_units: 2, cost: 0.004 });
  await expectBilled(simulator, billing);
});

test("ranks documents by the words they share with the query", async () => {
  const simulator = await startTestSimulator();
  const documents = ["Paris", { text: "Ruby is a gem", image: "https://example.com/a.png" }, "what is ruby"];
  const request = {
    path: "/rerank",
    model: "voyageai/rerank-2.5",
    input: { query: "What is Ruby", documents },
  };
  const { results } = await readJson(await sendTo(simulator, request, { top_n: 2 }));
  expect(results).toEqual([
    { index: 2, relevance_score: 1, document: { text: "what is ruby" } },
    { index: 1, relevance_score: expect.closeTo(0.667, 3) as number, document: documents[1] },
  ]);
});

const EMBEDDINGS = { path: "/embeddings", model: "google/gemini-embedding-001" };

test("embeds the same vector as floats and as base64, with the requested dimensions", async () => {
  const simulator = await startTestSimulator();
  const embed = async (fields: object) => {
    const request = { ...EMBEDDINGS, input: { input: "Zürich", dimensions: 8 } };
    const { data } = await readJson(await sendTo(simulator, request, fields));
    return (data as { embedding: number[] | string }[])[0]?.embedding;
  };
  const floats = await embed({ encoding_format: "float" });
  const base64 = Buffer.from(String(await embed({ encoding_format: "base64" })), "base64");
  expect(floats).toHaveLength(8);
  expect(Array.from({ length: 8 }, (_, i) => base64.readFloatLE(i * 4))).toEqual(floats);
});

test.each([
  ["a text", "1234567", 2, 1],
  ["texts", ["1234", "12345678"], 3, 2],
  ["tokens", [1, 2, 3, 4, 5], 5, 1],
  ["lists of tokens", [[1, 2], [3]], 3, 2],
  ["content parts", [{ content: [{ type: "text", text: "12345" }] }], 2, 1],
])("counts the tokens of %s", async (_, input, tokens, count) => {
  const simulator = await startTestSimulator();
  const json = await readJson(await sendTo(simulator, { ...EMBEDDINGS, input: { input } }));
  expect(json["usage"]).toMatchObject({ prompt_tokens: tokens, total_tokens: tokens });
  expect(json["data"]).toHaveLength(count);
});

test("embeddings state their usage after megabytes of data, or before", async () => {
  const simulator = await startTestSimulator();
  const input = { input: Array.from({ length: 64 }, (_, i) => `text ${i}`) };
  const last = await (await sendTo(simulator, { ...EMBEDDINGS, input })).text();
  expect(last.length).toBeGreaterThan(1_000_000);
  expect(Object.keys(JSON.parse(last) as object)).toEqual([
    "object",
    "data",
    "model",
    "usage",
    "provider",
    "id",
  ]);
  const model = "sim/ok:usageFirst=1";
  const first = await readJson(await sendTo(simulator, { ...EMBEDDINGS, model, input }));
  expect(Object.keys(first)).toEqual(["object", "usage", "id", "data", "model", "provider"]);
});
