import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";

const RESPONSE_BODY =
  '\n         \n{"id":"gen-1","choices":[{"message":{"content":"secret answer"}}],"usage":{"prompt_tokens":3,"completion_tokens":4,' +
  '"total_tokens":7,"cost":1.5e-7,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}}}';

test("the gateway logs one line for each request, with its key, model, outcome, duration and cost", async () => {
  const headers = { "content-type": "application/json", "x-generation-id": "gen-1" };
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, headers, RESPONSE_BODY)),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const body = buildChatBody({ model: "openrouter/openai/gpt-4o-mini" });
  await sendRequest(gateway.port, { body, headers: { "x-request-id": "req-1" } });
  const { time, level, msg, ...log } = await gateway.waitForRequestLog("the request");
  expect([typeof time, level, msg]).toEqual(["string", 30, "request"]);
  expect(log).toEqual({
    request_id: "req-1",
    key: "team",
    method: "POST",
    route: "/openai/v1/chat/completions",
    requested_model: "openrouter/openai/gpt-4o-mini",
    forwarded_model: "openai/gpt-4o-mini",
    stream: false,
    status: 200,
    outcome: "complete",
    bytes_in: Buffer.byteLength(body),
    bytes_out: Buffer.byteLength(RESPONSE_BODY),
    first_byte_ms: expect.any(Number),
    duration_ms: expect.any(Number),
    generation_id: "gen-1",
    usage: { prompt_tokens: 3, completion_tokens: 4, cached_tokens: 1, reasoning_tokens: 2 },
    cost_usd: 1.5e-7,
  });
  expect(gateway.logs.filter((record) => record["request_id"] === "req-1").length).toBe(1);
});

test("the gateway logs no secret, prompt, response or URL, and escapes line breaks that clients send", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, RESPONSE_BODY)),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  const forged = 'x"}\n{"level":60,"msg":"forged"}';
  await sendRequest(gateway.port, {
    body: buildChatBody({ model: forged, messages: [{ role: "user", content: "secret prompt" }] }),
  });
  await sendRequest(gateway.port, {
    headers: { authorization: "Bearer sk-wrong-secret", cookie: "secret-cookie" },
  });
  await sendRequest(gateway.port, {
    path: "/openai/v1/models/x?api_key=secret-query",
    method: "GET",
    body: "",
  });
  await sendRequest(gateway.port, { path: "/nothing?api_key=secret-query" });
  await sendRequest(gateway.port, { body: '{"secret body' });
  await expect.poll(() => gateway.logs.filter((record) => record["msg"] === "request").length).toBe(5);
  const written = JSON.stringify(gateway.logs);
  for (const secret of [ACCOUNT_KEY, CALLER_KEY, AUTHORIZATION.authorization, "secret", "sk-wrong"])
    expect(written).not.toContain(secret);
  expect(gateway.logs.some((record) => record["level"] === 60)).toBe(false);
  expect(gateway.logs.find((record) => record["outcome"] === "complete")?.["requested_model"]).toBe(forged);
});

test("the gateway truncates long model names in its log", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const gateway = await startTestGateway(upstream.baseUrl);
  await sendRequest(gateway.port, { body: buildChatBody({ model: "a/".padEnd(100_000, "b") }) });
  expect(JSON.stringify(await gateway.waitForRequestLog("the long name")).length).toBeLessThan(1_000);
});
