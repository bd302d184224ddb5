import { afterEach, expect, test, vi } from "vitest";
import { ModelLabels } from "../../src/metrics/model-labels.ts";
import { indexModels, type ModelIndex } from "../../src/upstream/model-index.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { scrape } from "../support/scrape.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";
import { waitUntil } from "../support/wait.ts";

const JSON_HEADERS = { "content-type": "application/json" };
const LIST = "GET /api/v1/models?output_modalities=all HTTP/1.1";

afterEach(() => vi.useRealTimers());

test("reads a list that fails every ten seconds, and every minute once it has succeeded, until it is stopped", async () => {
  vi.useFakeTimers();
  let reads = 0;
  let fails = true;
  let ids = ["a/b"];
  const labels = new ModelLabels(() => {});
  labels.follow({
    listAll: () => {
      reads++;
      if (fails) return Promise.reject(new Error("upstream failed"));
      return Promise.resolve(indexModels(ids.map((id) => ({ id }))) as ModelIndex);
    },
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reads).toBe(7);
  expect(labels.find("a/b")).toBe("other");
  fails = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect([reads, labels.find("a/b"), labels.find("a/c")]).toEqual([8, "a/b", "other"]);
  ids = ["a/c"];
  await vi.advanceTimersByTimeAsync(60_000);
  // A model that has left the list keeps its label.
  expect([reads, labels.find("a/b"), labels.find("a/c")]).toEqual([9, "a/b", "a/c"]);
  fails = true;
  await vi.advanceTimersByTimeAsync(120_000);
  expect([reads, labels.find("a/c")]).toEqual([11, "a/c"]);
  labels.stop();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(reads).toBe(11);
});

test.each(["fails", "hangs"])(
  "no request waits for an upstream list that %s, and none repeats its read",
  async (fault) => {
    const upstream = await startScriptedUpstream((socket, { line }) => {
      if (line !== LIST) socket.write(formatResponse(200, JSON_HEADERS, "{}"));
      else if (fault === "fails") socket.write(formatResponse(503, JSON_HEADERS, "{}"));
    });
    const gateway = await startTestGateway(upstream.baseUrl, { METRICS_PORT: "0", ACCOUNT_POLL_MS: "0" });
    for (let sent = 0; sent < 50; sent++) expect((await sendRequest(gateway.port)).status).toBe(200);
    await waitUntil(
      async () => (await scrape(gateway.metricsUrl)).sum("sluice_requests_total", { model: "other" }) === 50,
      "50 requests of model other",
    );
    expect(upstream.seen.filter(({ line }) => line.startsWith("GET ")).map(({ line }) => line)).toEqual([
      LIST,
    ]);
  },
);

test("a gateway whose start fails does not read the list", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(503, JSON_HEADERS, "{}")),
  );
  // The port of the upstream is in use.
  const start = startKeyedGateway(upstream.baseUrl, { METRICS_PORT: "0", PORT: String(upstream.port) });
  await expect(start).rejects.toThrow("EADDRINUSE");
  expect(upstream.seen).toEqual([]);
});

test("a gateway whose clients send their own keys reads the list without a key", async () => {
  const upstream = await startScriptedUpstream((socket, { line }) =>
    socket.write(
      formatResponse(200, JSON_HEADERS, line === LIST ? '{"data":[{"id":"openai/gpt-4o-mini"}]}' : "{}"),
    ),
  );
  const gateway = await startTestGateway(upstream.baseUrl, {
    METRICS_PORT: "0",
    METRICS_KEY_LABEL: "true",
    OPENROUTER_API_KEY: undefined,
    GATEWAY_API_KEYS: undefined,
  });
  const read = () => upstream.seen.find(({ line }) => line === LIST);
  await waitUntil(read, "the read of the list");
  expect(read()?.headers["authorization"]).toBeUndefined();
  const isCounted = async (): Promise<boolean> => {
    await sendRequest(gateway.port, { headers: { authorization: "Bearer sk-or-v1-own" } });
    const { sum, text } = await scrape(gateway.metricsUrl);
    expect(text).not.toContain("sk-or-v1-own");
    return (sum("sluice_requests_total", { model: "openai/gpt-4o-mini", key: "" }) ?? 0) > 0;
  };
  await waitUntil(isCounted, "a request of the listed model");
});
