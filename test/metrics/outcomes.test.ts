import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { DONE, EVENT, openStream, startHeldUpstream } from "../support/held-upstream.ts";
import { sendStream, startMeteredGateway } from "../support/metered-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { type Scrape, scrape } from "../support/scrape.ts";
import { formatChunk, formatChunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { sendRequest, type TestRequest } from "../support/send-request.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const CHAT = { endpoint: "chat/completions" };

/** Waits until the metrics have counted this many requests. A request is counted a moment after its client has the response. */
function waitForRequests(metricsUrl: string | undefined, count: number): Promise<Scrape> {
  return waitUntil(async () => {
    const read = await scrape(metricsUrl);
    return read.sum("sluice_requests_total") === count ? read : undefined;
  }, `${count} counted requests`);
}

test.each<[string, string, boolean, Record<string, string>?]>([
  ["status_429", "sim/error:status=429", false],
  ["status_402", "sim/error:status=402", false],
  ["status_4xx", "sim/error:status=422", true],
  ["status_5xx", "sim/error:status=503", false],
  ["status_5xx", "sim/html:status=502", true],
  ["auth_failed", "sim/error:status=401", false],
  ["bad_response", "sim/redirect", false],
  ["bad_response", "sim/garbage", false],
  ["disconnected", "sim/close", true],
  ["disconnected", "sim/reset:after=-1", false],
  ["disconnected", "sim/cut", true],
  ["disconnected", "sim/reset", true],
  ["error_in_body", "sim/error-midstream", true],
  ["error_in_body", "sim/error-midstream", false],
  ["incomplete", "sim/no-done", true],
  ["timeout", "sim/hang", false, { UPSTREAM_HEADERS_TIMEOUT_MS: "300" }],
  ["timeout", "sim/stall", true, { UPSTREAM_IDLE_TIMEOUT_MS: "300" }],
  ["deadline_exceeded", "sim/stall", true, { UPSTREAM_TOTAL_TIMEOUT_MS: "500" }],
  ["response_too_large", "sim/flood", true, { RESPONSE_LIMIT_BYTES: "1048576" }],
])("counts %s once for %s, streamed: %s", async (cause, model, stream, env) => {
  const simulator = await startTestSimulator();
  const gateway = await startTestGateway(simulator.baseUrl, { METRICS_PORT: "0", ...env });
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ model, stream }), {
    authorization: "Bearer sk-caller-0123456789",
    connection: "close",
  });
  await client.waitForEnd(model);
  const { sum } = await waitForRequests(gateway.metricsUrl, 1);
  expect(sum("sluice_upstream_errors_total", { ...CHAT, cause })).toBe(1);
  expect(sum("sluice_upstream_errors_total")).toBe(1);
  expect(sum("sluice_rejections_total") ?? 0).toBe(0);
  const outcome = cause === "incomplete" ? "complete" : "upstream_error";
  expect(sum("sluice_requests_total", { ...CHAT, outcome })).toBe(1);
});

test("counts an upstream that cannot be reached, and the retries", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { METRICS_PORT: "0" });
  expect((await sendRequest(gateway.port)).status).toBe(502);
  const { sum } = await waitForRequests(gateway.metricsUrl, 1);
  expect(sum("sluice_upstream_errors_total", { ...CHAT, cause: "unreachable" })).toBe(1);
  expect(sum("sluice_upstream_retries_total")).toBeGreaterThan(0);
});

test("counts no upstream error for a success and for a rejection", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startTestGateway(simulator.baseUrl, { METRICS_PORT: "0" });
  expect((await sendRequest(gateway.port)).status).toBe(200);
  expect((await sendRequest(gateway.port, { body: "{" })).status).toBe(400);
  const { sum } = await waitForRequests(gateway.metricsUrl, 2);
  expect(sum("sluice_upstream_errors_total")).toBeUndefined();
});

const WITHOUT_BODY = { body: "", headers: { "content-type": undefined } };

test.each<[string, string, TestRequest | string]>([
  ["invalid_json", "chat/completions", { body: "{" }],
  ["invalid_api_key", "chat/completions", { headers: { authorization: "Bearer sk-wrong" } }],
  ["unsupported_media_type", "chat/completions", { headers: { "content-type": "text/plain" } }],
  ["unknown_url", "other", { ...WITHOUT_BODY, method: "GET", path: "/secret" }],
  ["bad_request", "other", { ...WITHOUT_BODY, method: "GET", path: "/%zz" }],
  [
    "origin_not_allowed",
    "chat/completions",
    {
      method: "OPTIONS",
      body: "",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    },
  ],
  ["bad_request", "other", "secret\r\n\r\n"],
  ["headers_too_large", "other", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"secret".repeat(20_000)}\r\n\r\n`],
])("counts a rejection with the code %s at endpoint %s", async (code, endpoint, request) => {
  const simulator = await startTestSimulator();
  const gateway = await startTestGateway(simulator.baseUrl, {
    METRICS_PORT: "0",
    CORS_ORIGINS: "https://good.example",
  });
  if (typeof request === "string") {
    const client = new RawClient(gateway.port);
    client.send(request);
    await client.waitForEnd(code);
  } else await sendRequest(gateway.port, request);
  const { sum, text } = await waitForRequests(gateway.metricsUrl, 1);
  expect(sum("sluice_rejections_total", { code })).toBe(1);
  expect(sum("sluice_rejections_total")).toBe(1);
  expect(sum("sluice_requests_total", { endpoint, outcome: "rejected", status_class: "4xx" })).toBe(1);
  expect(text).not.toContain("secret");
});

test("the gateway's own time excludes the duration of a stream", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const stream = await openStream(gateway.port);
  await sleep(600);
  finish();
  await stream.waitForResponse("the stream");
  const { sum } = await waitForRequests(gateway.metricsUrl, 1);
  const duration = sum("sluice_request_duration_seconds_sum", CHAT) ?? 0;
  const firstByte = sum("sluice_time_to_first_byte_seconds_sum", CHAT) ?? 0;
  expect(duration).toBeGreaterThan(0.6);
  expect(sum("sluice_gateway_time_seconds_count", CHAT)).toBe(1);
  const gatewayTime = sum("sluice_gateway_time_seconds_sum", CHAT) ?? 0;
  expect(gatewayTime).toBeGreaterThan(0);
  expect(gatewayTime).toBeLessThan(firstByte);
  expect(firstByte).toBeLessThan(duration - 0.59);
});

test("the gateway's own time excludes reading on after a client that disconnected before the head", async () => {
  const { upstream, gateway, secret } = await startMeteredGateway(() => {}, { METRICS_PORT: "0" });
  // The request that created the key.
  const { sum: before } = await waitForRequests(gateway.metricsUrl, 1);
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => upstream.seen.some(({ line }) => line.startsWith("POST")), "the request");
  client.socket.destroy();
  const isDisconnected = async (): Promise<boolean> =>
    (await scrape(gateway.metricsUrl)).sum("sluice_connections") === before("sluice_connections");
  await waitUntil(isDisconnected, "the disconnect");
  const write = (...parts: (string | Buffer)[]): void => {
    for (const socket of upstream.open) for (const part of parts) socket.write(part);
  };
  write(formatChunkedHead(), formatChunk(EVENT));
  await sleep(600);
  write(formatChunk(DONE), LAST_CHUNK);
  const { sum } = await waitForRequests(gateway.metricsUrl, 2);
  expect(sum("sluice_requests_total", { ...CHAT, outcome: "client_gone" })).toBe(1);
  const duration = sum("sluice_request_duration_seconds_sum", CHAT) ?? 0;
  expect(sum("sluice_gateway_time_seconds_sum", CHAT)).toBeLessThanOrEqual(duration);
});
