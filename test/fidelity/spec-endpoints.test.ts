import { existsSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { RELAYED_ENDPOINTS, type RelayedEndpoint } from "../../src/endpoints/relayed-endpoints.ts";
import { GatewayError } from "../../src/errors.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { readModelRequest } from "../../src/request/model-request.ts";
import { AUTHORIZATION } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";
import { DIRECTORY } from "./recordings.ts";
import { Spec, ValueGenerator } from "./spec.ts";

const spec = new Spec();
type Fields = Record<string, unknown>;

const findEndpoint = (name: string): RelayedEndpoint => {
  const endpoint = RELAYED_ENDPOINTS.find(({ path }) => path === name);
  if (!endpoint) throw new Error(`there is no endpoint ${name}`);
  return endpoint;
};

/** Returns the rejection of a request as `code param`; undefined if it is forwarded unchanged. */
function findRefusal({ request }: RelayedEndpoint, body: string | Buffer): string | undefined {
  const before = Buffer.from(body as string);
  try {
    const forwarded = readModelRequest(Buffer.from(before), request, NO_ALIASES).body;
    return forwarded.equals(before) ? undefined : "changed";
  } catch (error) {
    if (error instanceof GatewayError) return `${error.code} ${error.param}`;
    throw error;
  }
}

/** Requests of the endpoints, and the fields to which each field of the specification is added. */
const BASES: Record<string, Fields> = {
  "chat/completions": { model: "a/b", messages: [{ role: "user", content: "Hello" }] },
  completions: { model: "a/b", prompt: "Hello" },
  responses: { model: "a/b", input: "Hello" },
  messages: { model: "a/b", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] },
  embeddings: { model: "a/b", input: "Hello" },
  rerank: { model: "a/b", query: "Hello", documents: ["World"] },
};

test("has a valid request for every endpoint", () => {
  expect(Object.keys(BASES)).toEqual(RELAYED_ENDPOINTS.map(({ path }) => path));
  for (const endpoint of RELAYED_ENDPOINTS)
    expect(findRefusal(endpoint, JSON.stringify(BASES[endpoint.path]))).toBeUndefined();
});

// The specification describes neither legacy completions, nor the conditions under which a chat has messages.
const specified = RELAYED_ENDPOINTS.filter(
  ({ path }) => path !== "completions" && path !== "chat/completions",
);

describe.each(specified.map((endpoint) => [endpoint.path, endpoint] as const))("%s", (path, endpoint) => {
  const schema = spec.findRequestSchema(`/${path}`);
  const generate = (seed: number): Fields => ({
    ...new ValueGenerator(spec, seed).generateObject(schema, 6),
    model: "a/b",
  });

  test("accepts thousands of requests that the specification allows, and changes no byte", () => {
    const refusals: string[] = [];
    for (let seed = 1; seed <= 3_000; seed++) {
      const body = JSON.stringify(generate(seed));
      const refusal = findRefusal(endpoint, body);
      if (refusal !== undefined) refusals.push(`seed ${seed}: ${refusal}: ${body.slice(0, 300)}`);
    }
    expect(refusals.slice(0, 5)).toEqual([]);
  });

  test("accepts each field of the specification on its own, in all variants", () => {
    const refusals = new Set<string>();
    for (const [name, field] of Object.entries(schema.properties ?? {}))
      for (let seed = 1; seed <= 100; seed++) {
        const value = new ValueGenerator(spec, seed).generate(field);
        if (name === "model" && (value as string).length === 0) continue;
        const refusal = findRefusal(endpoint, JSON.stringify({ ...BASES[path], [name]: value }));
        if (refusal !== undefined) refusals.add(`${refusal}: ${JSON.stringify(value)?.slice(0, 200)}`);
      }
    expect([...refusals]).toEqual([]);
  });

  test("accepts the examples of the specification", () => {
    const examples = spec.findRequestExamples(`/${path}`);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(findRefusal(endpoint, JSON.stringify(example))).toBeUndefined();
  });
});

const CLIENTS = `${DIRECTORY}/clients`;

interface RecordedCall {
  readonly name: string;
  readonly path: string;
  readonly body: Buffer;
}

/** The recorded requests of real clients of the Responses and Messages APIs. */
const recordedCalls: RecordedCall[] = (existsSync(CLIENTS) ? readdirSync(CLIENTS) : [])
  .filter((file) => file.endsWith(".request.json"))
  .map((file) => {
    const name = file.replace(".request.json", "");
    const { url } = JSON.parse(readFileSync(`${CLIENTS}/${name}.meta.json`, "utf8")) as { url: string };
    return { name, path: url.replace(/^.*\/v1\//, ""), body: readFileSync(`${CLIENTS}/${file}`) };
  })
  // Clients also count tokens, which is no endpoint of OpenRouter.
  .filter(({ path }) => BASES[path.split("?", 1)[0] ?? ""] !== undefined);

test("finds the recorded requests of clients, unless this machine has no recordings", () => {
  const mayBeMissing = !process.env["CI"] && !process.env["RECORDINGS_DIR"];
  expect(recordedCalls.length > 20 || mayBeMissing).toBe(true);
});

const PREFIX = "openrouter/";

test.skipIf(recordedCalls.length === 0)(
  "forwards the recorded requests of clients bit for bit, except for the prefix of the model",
  { timeout: 60_000 },
  async () => {
    const upstream = await startScriptedUpstream((socket) =>
      socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
    );
    const gateway = await startTestGateway(upstream.baseUrl);
    for (const { name, path, body } of recordedCalls) {
      const prefixed = Buffer.from(body.toString().replace(/("model":\s*")/, `$1${PREFIX}`));
      expect(prefixed.length).toBe(body.length + PREFIX.length);
      const { model } = JSON.parse(body.toString()) as { model: string };
      for (const sent of [body, prefixed]) {
        const { status } = await sendRequest(gateway.port, {
          path: `/anthropic/v1/${path}`.replace("/anthropic/v1/responses", "/openai/v1/responses"),
          headers: AUTHORIZATION,
          body: sent,
        });
        const received = upstream.seen.at(-1);
        // Without an author, the prefix belongs to the id.
        const isForwarded = received?.body.equals(model.includes("/") ? body : sent);
        expect([name, status, received?.line, isForwarded]).toEqual([
          name,
          200,
          `POST /api/v1/${path} HTTP/1.1`,
          true,
        ]);
      }
    }
  },
);

/** Requests that the specification forbids or does not describe, although clients or OpenAI's and Anthropic's APIs have them. */
const ALLOWED_BEYOND: [endpoint: string, why: string, request: Fields][] = [
  ["completions", "tokens as the prompt", { model: "a/b", prompt: [[1, 2], [3]] }],
  ["completions", "no prompt", { model: "a/b" }],
  ["responses", "an item of an unknown type", { model: "a/b", input: [{ type: "hologram", x: 1 }] }],
  ["responses", "an item without a type", { model: "a/b", input: [{ role: "user", content: "Hello" }] }],
  ["responses", "a tool with nested tools", { model: "a/b", tools: [{ type: "namespace", tools: [{}] }] }],
  ["responses", "client_metadata", { model: "a/b", input: [], client_metadata: { x: "y" } }],
  ["messages", "an unknown block", { ...BASES["messages"], system: [{ type: "hologram", x: 1 }] }],
  ["messages", "a thread", { ...BASES["messages"], thread: { type: "create" } }],
  ["messages", "a tool without a type", { ...BASES["messages"], tools: [{ name: "f", input_schema: {} }] }],
  [
    "messages",
    "a model in a tool",
    { ...BASES["messages"], tools: [{ name: "f", input_schema: { model: "x" } }] },
  ],
  ["embeddings", "an unknown format", { ...BASES["embeddings"], encoding_format: "int8" }],
  ["rerank", "unknown fields", { ...BASES["rerank"], return_documents: true, max_chunks_per_doc: 3 }],
];

test.each(ALLOWED_BEYOND)("%s accepts %s", (name, _, request) => {
  expect(findRefusal(findEndpoint(name), JSON.stringify(request))).toBeUndefined();
});

/** Violations of documented constraints, and the parameter that the error must name. */
const BROKEN: [endpoint: string, param: string, change: Fields][] = [
  ["completions", "prompt", { prompt: 1 }],
  ["completions", "stream", { stream: "true" }],
  ["responses", "input", { input: 1 }],
  ["responses", "input[0].content", { input: [{ role: "user", content: 1 }] }],
  ["responses", "tools[0].type", { tools: [{}] }],
  ["responses", "max_output_tokens", { max_output_tokens: 1.5 }],
  ["messages", "messages", { messages: undefined }],
  ["messages", "messages", { messages: "x" }],
  ["messages", "messages[0].role", { messages: [{ content: "x" }] }],
  ["messages", "messages[0].content", { messages: [{ role: "user", content: 1 }] }],
  ["messages", "fallbacks", { fallbacks: { model: "a/b" } }],
  ["messages", "fallbacks[0].model", { fallbacks: [{}] }],
  ["messages", "fallbacks[1].model", { fallbacks: [{ model: "a/b" }, { model: null }] }],
  ["messages", "model", { model: undefined }],
  ["embeddings", "input", { input: undefined }],
  ["embeddings", "input", { input: { text: "x" } }],
  ["embeddings", "dimensions", { dimensions: 0 }],
  ["rerank", "query", { query: undefined }],
  ["rerank", "documents", { documents: "x" }],
  ["rerank", "documents[1]", { documents: ["x", 1] }],
  ["rerank", "top_n", { top_n: 0 }],
];

test.each(BROKEN)("%s rejects an invalid %s and names it in the error", (name, param, change) => {
  expect(findRefusal(findEndpoint(name), JSON.stringify({ ...BASES[name], ...change }))).toMatch(
    new RegExp(`^(invalid_type|invalid_value|missing_required_parameter) ${RegExp.escape(param)}$`),
  );
});
