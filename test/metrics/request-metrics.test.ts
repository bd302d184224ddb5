import { Registry } from "prom-client";
import { expect, test } from "vitest";
import type { RequestContext } from "../../src/http/request-context.ts";
import { formatMetrics } from "../../src/metrics/exposition.ts";
import { RequestMetrics } from "../../src/metrics/request-metrics.ts";
import { indexModels, type ModelIndex } from "../../src/upstream/model-index.ts";
import { createEndedContext } from "../support/request-context.ts";
import { parseScrape } from "../support/scrape.ts";

const ROUTE = "/openai/v1/chat/completions";

/** Creates metrics whose list of models has these ids. */
async function createMetrics(ids: readonly string[], hasKeyLabel = false) {
  const registry = new Registry();
  const metrics = new RequestMetrics(registry, hasKeyLabel);
  const models = ids.map((id) => ({ id, canonical_slug: `${id}-2026-01-01` }));
  metrics.followModels({ listAll: () => Promise.resolve(indexModels(models) as ModelIndex) });
  await Promise.resolve();
  metrics.stop();
  const read = async () => parseScrape((await formatMetrics(registry)).toString());
  return { metrics, read };
}

/** Creates the context of an ended chat completion. */
function createContext(fields: Partial<RequestContext>): RequestContext {
  return Object.assign(createEndedContext(), {
    route: ROUTE,
    forwardedModel: "a/b",
    provider: "P",
    ...fields,
  });
}

test("counts all names of a listed model as the model, and all other names as other", async () => {
  const { metrics, read } = await createMetrics(["a/b", "a/b:free"]);
  for (const forwardedModel of ["a/b", "a/b:nitro", "a/b-2026-01-01", "a/b:online:floor", "a/b@preset/x"])
    metrics.record(createContext({ forwardedModel }));
  metrics.record(createContext({ forwardedModel: "a/b:free:online" }));
  for (const forwardedModel of ["a/c", "@preset/x", "x".repeat(10_000), undefined])
    metrics.record(createContext({ forwardedModel }));
  const { sum } = await read();
  expect(sum("sluice_requests_total", { model: "a/b", endpoint: "chat/completions" })).toBe(5);
  expect(sum("sluice_requests_total", { model: "a/b:free" })).toBe(1);
  expect(sum("sluice_requests_total", { model: "other" })).toBe(4);
  expect(sum("sluice_tokens_total", { model: "a/b", kind: "completion", provider: "P" })).toBe(10);
  expect(sum("sluice_request_duration_seconds_count", { model: "a/b" })).toBe(5);
});

test("adds the tokens and the cost of a model and a provider over all endpoints", async () => {
  const { metrics, read } = await createMetrics(["a/b"], true);
  for (const route of [ROUTE, "/openai/v1/embeddings"])
    for (const keyName of ["x", "y"])
      for (const provider of ["P", "Q", undefined])
        metrics.record(createContext({ route, keyName, provider }));
  const { samples, sum } = await read();
  expect(sum("sluice_requests_total", { endpoint: "embeddings" })).toBe(6);
  const costs = samples.filter(({ name }) => name === "sluice_cost_usd_total");
  expect(costs.map(({ labels, value }) => [labels["key"], labels["provider"], value])).toEqual(
    ["x", "y"].flatMap((key) => ["P", "Q", "unknown"].map((provider) => [key, provider, 1e-8])),
  );
  expect(sum("sluice_tokens_total", { kind: "completion", key: "y", provider: "Q" })).toBe(4);
});

test("has a bounded number of series, whatever clients and upstream send", async () => {
  const ids = Array.from({ length: 1_500 }, (_, index) => `a/m${index}`);
  const { metrics, read } = await createMetrics(ids, true);
  for (let index = 0; index < 100_000; index++)
    metrics.record(
      createContext({
        route: index % 3 === 0 ? ROUTE : `/url/${index}`,
        method: `M${index}`,
        forwardedModel: index % 2 === 0 ? `invented/${index}` : ids[index % ids.length],
        provider: `P${index}`.padEnd(300, "x"),
        keyName: `key-${index}`,
        status: index % 2_000,
        errorCode: "upstream_error",
        errorSource: "upstream",
        upstreamStatus: index % 2_000,
        outcome: "upstream_error",
      }),
    );
  const { samples, sum } = await read();
  expect(sum("sluice_requests_total")).toBe(100_000);
  expect(sum("sluice_tokens_total", { kind: "completion" })).toBe(200_000);
  const count = (name: string): number => samples.filter((sample) => sample.name === name).length;
  // 5,000 combinations with keys and those of key `other`, each with at most 6 status classes.
  expect(count("sluice_requests_total")).toBeLessThanOrEqual(6 * (5_000 + 1_007));
  // 5,000 combinations with providers, and those of provider `other`.
  expect(count("sluice_cost_usd_total")).toBeLessThanOrEqual(5_000 + 6_007);
  expect(count("sluice_request_duration_seconds_count")).toBeLessThanOrEqual(1_007);
  expect(new Set(samples.map(({ labels }) => labels["provider"])).size).toBeLessThanOrEqual(103);
  const longest = samples.reduce((max, { labels }) => Math.max(max, labels["provider"]?.length ?? 0), 0);
  expect(longest).toBe(64);
}, 60_000);

test("shows no name of a key unless METRICS_KEY_LABEL is true", async () => {
  for (const hasKeyLabel of [false, true]) {
    const { metrics, read } = await createMetrics(["a/b"], hasKeyLabel);
    metrics.record(createContext({ keyName: 'te"am\\\n1' }));
    metrics.record(createContext({ keyName: undefined }));
    const { text, sum } = await read();
    expect(text.includes("key=")).toBe(hasKeyLabel);
    expect(sum("sluice_requests_total", { key: 'te"am\\\n1' })).toBe(hasKeyLabel ? 1 : undefined);
    expect(sum("sluice_cost_usd_total", { key: "" })).toBe(hasKeyLabel ? 5e-9 : undefined);
  }
});

test.each<[string, Partial<RequestContext>]>([
  ["unreachable", { errorSource: "upstream", errorCode: "upstream_unreachable", upstreamStatus: 0 }],
  ["timeout", { errorSource: "upstream", errorCode: "upstream_timeout", upstreamStatus: 0 }],
  ["disconnected", { errorSource: "upstream", errorCode: "upstream_disconnected", isIncomplete: true }],
  ["bad_response", { errorSource: "upstream", errorCode: "upstream_bad_response", upstreamStatus: 302 }],
  ["auth_failed", { errorSource: "upstream", errorCode: "upstream_auth_failed", upstreamStatus: 401 }],
  ["status_5xx", { errorSource: "upstream", errorCode: "upstream_error", upstreamStatus: 524 }],
  ["status_429", { upstreamStatus: 429 }],
  ["status_429", { upstreamStatus: 429, outcome: "client_gone" }],
  ["status_4xx", { upstreamStatus: 451 }],
  ["error_in_body", { upstreamStatus: 200 }],
  ["incomplete", { outcome: "complete", isIncomplete: true }],
])("counts %s as the cause of an upstream error", async (cause, fields) => {
  const { metrics, read } = await createMetrics([]);
  metrics.record(createContext({ outcome: "upstream_error", ...fields }));
  const { sum } = await read();
  expect(sum("sluice_upstream_errors_total", { endpoint: "chat/completions", cause })).toBe(1);
  expect(sum("sluice_upstream_errors_total")).toBe(1);
});

test("counts an outcome, and a rejection only by its code and without its time", async () => {
  const { metrics, read } = await createMetrics(["a/b"]);
  metrics.record(createContext({ outcome: "client_gone", status: 0 }));
  metrics.record(
    createContext({ outcome: "rejected", status: 429, errorCode: "rate_limit_exceeded", usage: undefined }),
  );
  metrics.recordUnparsed({ status: 400, error: "bad_request" });
  metrics.record(createContext({ route: "/readyz", status: 503, outcome: "rejected" }));
  const { sum } = await read();
  expect(sum("sluice_requests_total", { status_class: "none", outcome: "client_gone" })).toBe(1);
  expect(sum("sluice_rejections_total", { code: "rate_limit_exceeded" })).toBe(1);
  expect(sum("sluice_rejections_total", { code: "bad_request" })).toBe(1);
  expect(sum("sluice_requests_total")).toBe(3);
  expect(sum("sluice_request_duration_seconds_count")).toBe(1);
  expect(sum("sluice_gateway_time_seconds_count")).toBe(1);
});

test("histograms have cumulative buckets in seconds", async () => {
  const { metrics, read } = await createMetrics(["a/b"]);
  const { startedAt } = createContext({});
  for (const ms of [100, 700, 700_000])
    metrics.record(createContext({ startedAt, firstByteAt: startedAt + ms / 2, endedAt: startedAt + ms }));
  const { sum } = await read();
  const name = "sluice_request_duration_seconds";
  const buckets = ["0.05", "0.1", "0.5", "1", "600", "+Inf"].map((le) => sum(`${name}_bucket`, { le }));
  expect(buckets).toEqual([0, 1, 1, 2, 2, 3]);
  expect(sum(`${name}_sum`)).toBeCloseTo(700.8);
  expect(sum("sluice_time_to_first_byte_seconds_bucket", { le: "0.05" })).toBe(1);
});
