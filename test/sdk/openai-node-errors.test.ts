import {
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from "openai";
import { expect, test } from "vitest";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTestGateway } from "../support/gateway.ts";
import { waitUntil } from "../support/wait.ts";
import { createClient, HELLO, MODEL, catchRejection, setUpClient } from "./client.ts";

const CLASSES: readonly [status: number, kind: new (...args: never) => Error][] = [
  [400, BadRequestError],
  [402, APIError],
  [403, PermissionDeniedError],
  [404, NotFoundError],
  [408, APIError],
  [409, ConflictError],
  [413, APIError],
  [422, UnprocessableEntityError],
  [429, RateLimitError],
  [500, InternalServerError],
  [502, InternalServerError],
  [503, InternalServerError],
  [529, InternalServerError],
];

test.each(CLASSES)(
  "raises upstream's status %i as the client's error class, for plain and streamed responses",
  async (status, kind) => {
    const { client } = await setUpClient();
    for (const stream of [false, true]) {
      const model = `sim/error:status=${status}`;
      const error = await catchRejection(client.chat.completions.create({ model, messages: HELLO, stream }));
      expect(error).toBeInstanceOf(kind);
      expect((error as Error).constructor).toBe(kind);
      // OpenRouter's own code is a number.
      expect(error).toMatchObject({
        status,
        code: status,
        requestID: expect.stringMatching(/^[\w.-]+$/) as string,
      });
    }
  },
);

test("the gateway's errors have a code, a type, a param and a request id", async () => {
  const { client, gateway } = await setUpClient();
  const create = (fields: object): Promise<unknown> =>
    catchRejection(
      client.chat.completions.create(
        { model: MODEL, messages: HELLO, ...fields },
        { headers: { "x-request-id": "my-id-1" } },
      ),
    );
  const invalid = await create({ temperature: 7 });
  expect(invalid).toBeInstanceOf(BadRequestError);
  expect(invalid).toMatchObject({
    code: "invalid_value",
    type: "invalid_request_error",
    param: "temperature",
    requestID: "my-id-1",
    message: "400 temperature must be from 0 to 2.",
  });
  expect(await create({ messages: [] })).toMatchObject({ code: "invalid_value", param: "messages" });
  expect(gateway.logs.some((record) => record["request_id"] === "my-id-1")).toBe(true);
});

test("raises an AuthenticationError for an unknown gateway key", async () => {
  const { client, simulator } = await setUpClient({ apiKey: "sk-wrong" });
  const error = await catchRejection(client.chat.completions.create({ model: MODEL, messages: HELLO }));
  expect(error).toBeInstanceOf(AuthenticationError);
  expect(error).toMatchObject({ status: 401, code: "invalid_api_key", type: "authentication_error" });
  expect((error as Error).message).not.toContain("sk-wrong");
  expect(simulator.seen).toEqual([]);
});

test("raises an AuthenticationError for a client's own key that OpenRouter does not know", async () => {
  const ownKeys = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };
  const { client, simulator } = await setUpClient({ apiKey: "sk-wrong" }, ownKeys, { apiKeys: ["sk-right"] });
  const error = await catchRejection(client.chat.completions.create({ model: MODEL, messages: HELLO }));
  expect(error).toBeInstanceOf(AuthenticationError);
  expect(error).toMatchObject({ status: 401, code: 401 });
  const right = client.withOptions({ apiKey: "sk-right" });
  expect((await right.chat.completions.create({ model: MODEL, messages: HELLO })).choices).toHaveLength(1);
  expect(simulator.seen[1]?.headers.authorization).toBe("Bearer sk-right");
});

test("raises an InternalServerError without a retry when OpenRouter does not know the gateway's key", async () => {
  const { client, simulator } = await setUpClient({ maxRetries: 2 }, {}, { apiKeys: ["another"] });
  const error = await catchRejection(client.chat.completions.create({ model: MODEL, messages: HELLO }));
  expect(error).toBeInstanceOf(InternalServerError);
  expect(error).toMatchObject({ status: 502, code: "upstream_auth_failed", type: "upstream_error" });
  expect(simulator.readStats().requests).toBe(1);
});

test("raises a NotFoundError when an unknown model is retrieved, and a BadRequestError when it is used", async () => {
  const { client } = await setUpClient();
  const retrieved = await catchRejection(client.models.retrieve("nobody/nothing"));
  expect(retrieved).toBeInstanceOf(NotFoundError);
  expect(retrieved).toMatchObject({ code: "model_not_found", type: "invalid_request_error", param: "model" });
  const used = await catchRejection(
    client.chat.completions.create({ model: "nobody/nothing", messages: HELLO }),
  );
  expect(used).toBeInstanceOf(BadRequestError);
});

test("raises a BadRequestError for an unsupported endpoint, and a NotFoundError for an unknown one", async () => {
  const { client } = await setUpClient();
  const unsupported = await catchRejection(client.embeddings.create({ model: MODEL, input: "x" }));
  expect(unsupported).toBeInstanceOf(BadRequestError);
  expect(unsupported).toMatchObject({
    code: "unsupported_endpoint",
    requestID: expect.any(String) as string,
  });
  expect((unsupported as Error).message).toContain("no Embeddings API (POST /openai/v1/embeddings)");
  const unknown = await catchRejection(client.moderations.create({ input: "x" }));
  expect(unknown).toBeInstanceOf(NotFoundError);
  expect(unknown).toMatchObject({ code: "unknown_url", requestID: expect.any(String) as string });
});

test("raises an error with a message of the gateway when OpenRouter's edge sends a web page", async () => {
  const { client } = await setUpClient();
  const error = await catchRejection(
    client.chat.completions.create({ model: "sim/html:status=503", messages: HELLO }),
  );
  expect(error).toMatchObject({ status: 503, code: "upstream_error", type: "upstream_error" });
  expect((error as Error).message).not.toContain("<");
});

test.each([
  [500, 1],
  [502, 1],
  [504, 1],
  [520, 1],
  [524, 1],
  [408, 1],
  [521, 2],
  [429, 2],
])(
  "for a web page with status %i, a client that may retry once causes %i upstream request(s)",
  async (status, times) => {
    const page = formatResponse(status, { "content-type": "text/html; charset=UTF-8" }, "<html></html>");
    const upstream = await startScriptedUpstream((socket) => socket.write(page));
    const client = createClient(await startTestGateway(upstream.baseUrl), { maxRetries: 1 });
    const error = await catchRejection(client.chat.completions.create({ model: MODEL, messages: HELLO }));
    expect(error).toMatchObject({ status, code: "upstream_error" });
    expect(upstream.seen).toHaveLength(times);
  },
);

test("raises an error that upstream sends in the middle of a stream", async () => {
  const { client } = await setUpClient();
  const model = "sim/error-midstream:after=2,status=502";
  const stream = await client.chat.completions.create({ model, messages: HELLO, stream: true });
  let pieces = 0;
  const error = await catchRejection(
    (async () => {
      for await (const chunk of stream) pieces += chunk.choices.length;
    })(),
  );
  expect(pieces).toBe(2);
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({ code: 502 });
});

test.each(["cut", "cut:half=1", "reset", "reset:half=1", "close-delimited:after=2"])(
  "raises an error when upstream aborts a stream (%s)",
  async (behaviour) => {
    const { client } = await setUpClient();
    const params = { model: `sim/${behaviour}`, messages: HELLO, stream: true } as const;
    const stream = await client.chat.completions.create(params);
    const read = async (): Promise<void> => {
      for await (const chunk of stream) expect(chunk.object).toBe("chat.completion.chunk");
    };
    expect(await catchRejection(read())).toBeInstanceOf(Error);
  },
);

test("the client does not retry when upstream disconnects before its response", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.destroy());
  const client = createClient(await startTestGateway(upstream.baseUrl), { maxRetries: 2 });
  const error = await catchRejection(client.chat.completions.create({ model: MODEL, messages: HELLO }));
  expect(error).toMatchObject({ status: 502, code: "upstream_disconnected" });
  expect((error as APIError).headers?.get("x-should-retry")).toBe("false");
  await waitUntil(() => upstream.open.size === 0, "upstream's connections to be closed");
  expect(upstream.seen).toHaveLength(1);
});

test("the client retries a 502 that upstream has sent", async () => {
  const busy = formatResponse(
    502,
    { "content-type": "application/json" },
    '{"error":{"code":502,"message":"?"}}',
  );
  const upstream = await startScriptedUpstream((socket) => void socket.write(busy));
  const client = createClient(await startTestGateway(upstream.baseUrl), { maxRetries: 1 });
  const error = await catchRejection(client.chat.completions.create({ model: MODEL, messages: HELLO }));
  expect(error).toMatchObject({ status: 502, code: 502 });
  expect(upstream.seen).toHaveLength(2);
});
