import { expect, test } from "vitest";
import { startBilledSimulator } from "../support/billed-simulator.ts";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createDrainingKey, readRows } from "../support/metered-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { scrape } from "../support/scrape.ts";
import { waitUntil } from "../support/wait.ts";

test("tokens and cost equal the ledger and the bills of upstream, after requests whose clients disconnected", async () => {
  const upstream = await startBilledSimulator();
  const gateway = await startKeyedGateway(upstream.simulator.baseUrl, {
    METRICS_PORT: "0",
    METRICS_KEY_LABEL: "true",
  });
  const secrets = [gateway.caller, await createDrainingKey(gateway)];
  for (let index = 0; index < 24; index++) {
    const client = new RawClient(gateway.port);
    const fields = { stream: index % 3 !== 0, model: "openai/gpt-4o-mini" };
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
