import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { normalizeModelId } from "../../src/request/model-id.ts";
import type { CostEstimate } from "../../src/pricing/estimate.ts";
import type { Model } from "../../src/upstream/model-catalog.ts";
import { toNanodollars } from "../../src/money.ts";
import { inspectResponse } from "../support/inspect-response.ts";
import { sendRequest } from "../support/send-request.ts";
import { estimateWithListedPrices } from "../support/cost-estimate.ts";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { recordedResponses, recordedRequests } from "./recordings.ts";

const FILE =
  process.env["OPENROUTER_MODELS"] ??
  fileURLToPath(new URL("../../../shared/specs/openrouter-models.json", import.meta.url));
const listed = (JSON.parse(readFileSync(FILE, "utf8")) as { data: Model[] }).data;
const byId = new Map(listed.map((model) => [model.id, model]));

const text = fc.string({ unit: "grapheme", maxLength: 300 });
const request = fc.record(
  {
    messages: fc.array(fc.record({ role: fc.constantFrom("system", "user", "assistant"), content: text }), {
      minLength: 1,
      maxLength: 5,
    }),
    max_tokens: fc.nat(1_000_000),
    n: fc.integer({ min: 1, max: 8 }),
    tools: fc.constant([{ type: "function", function: { name: "f", parameters: { type: "object" } } }]),
    cache_control: fc.constant({ type: "ephemeral", ttl: "1h" }),
  },
  { requiredKeys: ["messages"] },
);

function listFaults(estimate: CostEstimate): string[] {
  const sums = [estimate.lowestNanodollars, estimate.highestNanodollars ?? Infinity];
  const faults = (sums[0] ?? NaN) <= (sums[1] ?? NaN) ? [] : ["the lowest total is above the highest"];
  if (!Number.isSafeInteger(sums[0])) faults.push("the lowest total is not a whole number");
  for (const { model, name, lowest, highest } of estimate.components) {
    const above = lowest.nanodollars > (highest.nanodollars ?? Infinity);
    if (above) faults.push(`${model}: the lowest ${name} is above the highest`);
  }
  return faults;
}

test("every listed model has a lowest total that is not above its highest", () => {
  fc.assert(
    fc.property(request, (body) => {
      for (const model of listed)
        expect([model.id, listFaults(estimateWithListedPrices(body, [model]))]).toEqual([model.id, []]);
    }),
    { numRuns: 30 },
  );
});

/** Matches models that search the web or consist of several agents, so that prompt and completion do not bound the price. */
const OPEN_ENDED = /^perplexity\/|^sakana\/fugu|-multi-agent/;

test("every listed text model has a highest total, unless its price cannot be known before a request", () => {
  const body = { messages: [{ role: "user", content: "Hello" }], max_tokens: 100 };
  const unbounded = listed.filter(
    (model) => estimateWithListedPrices(body, [model]).highestNanodollars === null,
  );
  const expected = listed.filter(({ id, pricing, architecture }) => {
    const { prompt } = pricing as { prompt: string };
    const { output_modalities: outputs } = architecture as { output_modalities: string[] };
    return prompt === "-1" || outputs.some((kind) => kind !== "text") || OPEN_ENDED.test(id);
  });
  expect(unbounded.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  expect(expected.length).toBeLessThan(30);
});

test("an estimate with all listed models as fallbacks ranges over all of them", () => {
  const body = { messages: [{ role: "user", content: "Hello" }], max_tokens: 100 };
  const bounded = listed.filter(
    (model) => estimateWithListedPrices(body, [model]).highestNanodollars !== null,
  );
  const alone = bounded.map((model) => estimateWithListedPrices(body, [model]));
  expect(estimateWithListedPrices(body, bounded)).toMatchObject({
    lowestNanodollars: Math.min(...alone.map((one) => one.lowestNanodollars)),
    highestNanodollars: Math.max(...alone.map((one) => one.highestNanodollars ?? Infinity)),
  });
});

interface RecordedUsage {
  readonly name: string;
  readonly estimate: CostEstimate;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The cost; undefined if the response does not state it. */
  readonly nanodollars: number | undefined;
}

/** @returns the recorded responses that state their usage and have models that are still listed. */
function listRecordedUsages(): RecordedUsage[] {
  return recordedRequests.flatMap(({ name, clientBody }, index) => {
    const body = JSON.parse(clientBody.toString()) as Record<string, unknown>;
    const model = byId.get(normalizeModelId(String(body["model"])));
    const response = recordedResponses[index];
    const usage = response?.status === 200 ? inspectResponse(response, [response.body]).usage : undefined;
    if (!model || !usage) return [];
    const { tokens, costUsd } = usage;
    // A model with a price costs 0 if the request used the client's own provider key (BYOK).
    const nanodollars = costUsd === undefined || costUsd === 0 ? undefined : toNanodollars(costUsd);
    return [
      {
        name,
        estimate: estimateWithListedPrices(body, [model]),
        promptTokens: tokens["prompt_tokens"] ?? 0,
        completionTokens: tokens["completion_tokens"] ?? 0,
        nanodollars,
      },
    ];
  });
}

test("the usage of recorded requests is within their estimates", () => {
  const all = listRecordedUsages();
  const outside = all.flatMap(({ name, estimate, promptTokens, completionTokens }) => {
    const used = { prompt: promptTokens, completion: completionTokens };
    return estimate.components.flatMap((component) => {
      const tokens = used[component.name as keyof typeof used] as number | undefined;
      // Parts that are not text also count as prompt tokens. The prompt of a request with them has no highest quantity.
      const isUnbounded = component.name === "prompt" && estimate.highestNanodollars === null;
      const most = isUnbounded ? Infinity : (component.highest.quantity ?? Infinity);
      if (tokens === undefined || (tokens >= (component.lowest.quantity ?? 0) && tokens <= most)) return [];
      return [`${name}: ${component.name} ${component.lowest.quantity}..${most}, used ${tokens}`];
    });
  });
  expect(outside).toEqual([]);
  expect(all.length).toBeGreaterThan(50);
});

test("the cost of recorded requests is within their estimates at current prices", () => {
  const paid = listRecordedUsages().filter(({ nanodollars }) => nanodollars !== undefined);
  const outside = paid.filter(
    ({ nanodollars = 0, estimate: { lowestNanodollars, highestNanodollars } }) =>
      nanodollars < lowestNanodollars || nanodollars > (highestNanodollars ?? Infinity),
  );
  expect(outside.map(({ name }) => name)).toEqual([]);
  expect(paid.length).toBeGreaterThan(50);
});

test("the cost that the simulator charges is within the estimate of a dry run", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startTestGateway(simulator.baseUrl);
  const models = [
    "openai/gpt-4o-mini",
    "anthropic/claude-sonnet-4.5",
    "meta-llama/llama-3.3-70b-instruct:free",
  ];
  const contents = ["Hello", "世界".repeat(500), "🎉".repeat(200), " ".repeat(5000), "word ".repeat(3000)];
  for (const model of models) {
    for (const content of contents) {
      for (const stream of [false, true]) {
        const body = buildChatBody({ model, stream, messages: [{ role: "user", content }] });
        const dry = await sendRequest(gateway.port, { path: `${CHAT_PATH}?dryRun=true`, body });
        const { lowest, highest } = JSON.parse(dry.body.toString());
        const before = simulator.readStats().billedNanodollars;
        expect((await sendRequest(gateway.port, { body })).status).toBe(200);
        const cost = simulator.readStats().billedNanodollars - before;
        expect(cost).toBeGreaterThanOrEqual(lowest.nanodollars);
        expect(cost).toBeLessThanOrEqual(highest.nanodollars);
      }
    }
  }
});
