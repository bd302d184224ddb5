import { expect, test } from "vitest";
import { startBilledSimulator } from "../support/billed-simulator.ts";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createDrainingKey, readRows } from "../support/metered-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { scrape } from "../support/scrape.ts";
import { sendRequest } from "../support/send-request.ts";
import { waitUntil } from "../support/wait.ts";

/** A plain model, one whose responses do not state their cost, and one that uses the account's own key at the provider. */
const MODELS = [
  "openai/gpt-4o-mini",
  "sim/ok:cost=0",
  "sim/ok:byok=1",
  "openai/gpt-4o-mini",
  "openai/gpt-4o-mini",
];

test("tokens and cost equal the ledger and the bills of upstream, after requests whose clients disconnected", async () => {
  const upstream = await startBilledSimulator();
  const gateway = await startKeyedGateway(upstream.simulator.baseUrl, {
    METRICS_PORT: "0",
    METRICS_KEY_LABEL: "true",
  });
  const secrets = [gateway.caller, await createDrainingKey(gateway)];
  for (let index = 0; index < 24; index++) {
    const client = new RawClient(gateway.port);
    const fields = { stream: index % 3 !== 0, model: MODELS[index % MODELS.length] };
    client.post(CHAT_PATH, buildChatBody(fields), { authorization: `Bearer ${secrets[index % 2]}` });
    if (index % 4 === 1) await waitUntil(() => client.readResponse()?.body.length, "the first byte");
    else await waitUntil(() => client.readResponse()?.complete, "the response");
    client.socket.destroy();
  }
  const rows = await waitUntil(async () => {
    const found = await readRows(gateway);
    return found.length === 24 && found.every(({ state }) => state === "settled") ? found : undefined;
  }, "all rows to be settled");
  const total = rows.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0);
  const metrics = await waitUntil(async () => {
    const read = await scrape(gateway.metricsUrl);
    return Math.round((read.sum("sluice_cost_usd_total") ?? 0) * 1e9) === total ? read : undefined;
  }, "the metrics to have all costs");
  expect(total).toBe(upstream.billed);
  expect(rows.some(({ cost_source }) => cost_source === "generation")).toBe(true);
  expect(rows.some(({ upstream_inference_nanodollars }) => Number(upstream_inference_nanodollars) > 0)).toBe(
    true,
  );
  const report = await gateway.callAdmin("GET", "/usage?by=key");
  const reported = report.body.data.reduce(
    (sum: number, { cost_usd }: { cost_usd: string }) => sum + Number(cost_usd),
    0,
  );
  expect(metrics.sum("sluice_cost_usd_total")).toBeCloseTo(reported, 12);
  for (const kind of ["prompt", "completion"] as const) {
    const tokens = rows.reduce((sum, row) => sum + (row[`${kind}_tokens`] ?? 0), 0);
    expect(metrics.sum("sluice_tokens_total", { kind })).toBe(tokens);
  }
  for (const key of new Set(rows.map(({ key_name }) => key_name))) {
    const ofKey = rows.filter(({ key_name }) => key_name === key);
    const cost = ofKey.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0);
    expect(metrics.sum("sluice_cost_usd_total", { key })).toBeCloseTo(cost / 1e9, 12);
    expect(metrics.sum("sluice_requests_total", { key, endpoint: "chat/completions" })).toBe(ofKey.length);
  }
}, 60_000);

test("counts the cost without a ledger, as the responses state it", async () => {
  const upstream = await startBilledSimulator();
  const gateway = await startTestGateway(upstream.simulator.baseUrl, {
    METRICS_PORT: "0",
    METRICS_KEY_LABEL: "true",
  });
  for (const stream of [true, false])
    for (const model of ["openai/gpt-4o-mini", "sim/ok:byok=1"])
      expect((await sendRequest(gateway.port, { body: buildChatBody({ stream, model }) })).status).toBe(200);
  const { sum } = await waitUntil(async () => {
    const read = await scrape(gateway.metricsUrl);
    return read.sum("sluice_requests_total", { endpoint: "chat/completions" }) === 4 ? read : undefined;
  }, "4 counted requests");
  expect(upstream.billed).toBeGreaterThan(0);
  expect(sum("sluice_cost_usd_total", { key: "team" })).toBeCloseTo(upstream.billed / 1e9, 12);
});
