import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { scrape } from "../support/scrape.ts";
import { startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

/** Returns the components that the metrics show, with a 1 for each that works. */
async function readComponents(metricsUrl: string | undefined): Promise<Record<string, number>> {
  const { samples } = await scrape(metricsUrl);
  const components = samples.filter(({ name }) => name === "sluice_component_up");
  return Object.fromEntries(components.map(({ labels, value }) => [labels["component"], value]));
}

test("the components and their health are those of /readyz", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startKeyedGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const all = { database: 1, journal: 1, settlement: 1, keys: 1 };
  expect(await readComponents(gateway.metricsUrl)).toEqual(all);
  const journal = join(gateway.dataDir, "journal");
  rmSync(journal, { recursive: true });
  expect((await gateway.call(gateway.caller)).status).toBe(503);
  expect(await readComponents(gateway.metricsUrl)).toEqual({ ...all, journal: 0 });
  const { body } = await sendRequest(gateway.port, { method: "GET", path: "/readyz", body: "" });
  expect(JSON.parse(body.toString())).toMatchObject({ failing: ["journal"], degraded: [] });
  mkdirSync(journal);
  expect(await readComponents(gateway.metricsUrl)).toEqual(all);
});

test("without a database, there are no components", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const ownKeys = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };
  const gateway = await startTestGateway(upstream.baseUrl, { METRICS_PORT: "0", ...ownKeys });
  expect(await readComponents(gateway.metricsUrl)).toEqual({});
  const { text } = await scrape(gateway.metricsUrl);
  expect(text).not.toMatch(/sluice_(ledger|journal|budget|account|alerts)/);
});

test("a failed poll of keys is shown by the metrics, and /readyz shows it as degraded", async () => {
  const upstream = await startScriptedUpstream(() => {});
  const gateway = await startKeyedGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const { DatabaseSync } = await import("node:sqlite");
  const sqlite = new DatabaseSync(join(gateway.dataDir, "sluice.db"));
  sqlite.exec("alter table key_revision rename to other");
  await waitUntil(async () => (await readComponents(gateway.metricsUrl))["keys"] === 0, "a failed poll");
  const { status, body } = await sendRequest(gateway.port, { method: "GET", path: "/readyz", body: "" });
  expect(status).toBe(200);
  expect(JSON.parse(body.toString())).toMatchObject({ status: "degraded", degraded: ["keys"] });
  sqlite.exec("alter table other rename to key_revision");
  sqlite.close();
  await waitUntil(async () => (await readComponents(gateway.metricsUrl))["keys"] === 1, "the next poll");
});

test("the metrics show the money that is left at OpenRouter, and nothing for what has no limit", async () => {
  const simulator = await startTestSimulator({ creditsUsd: 12.5, keyLimitUsd: null });
  const gateway = await startKeyedGateway(simulator.baseUrl, {
    METRICS_PORT: "0",
    ACCOUNT_POLL_MS: "20",
    OPENROUTER_MANAGEMENT_KEY: "sk-or-management",
  });
  const read = async (source: string) =>
    (await scrape(gateway.metricsUrl)).sum("sluice_account_remaining_usd", { source });
  expect(await waitUntil(() => read("account_credits"), "the first poll")).toBe(12.5);
  expect(await read("key_limit")).toBeUndefined();
});
