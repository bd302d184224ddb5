// Compares the CPU time of bounding the cost of a small request with that of JSON.parse and the schema check of the same
// request. The prices are cached. The result is their ratio. No sockets: their CPU time is more than ten times as long.
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { WorstCaseFinder } from "../../src/endpoints/worst-case.ts";
import type { JsonObject } from "../../src/json-values.ts";
import { checkSchema } from "../../src/request/check-schema.ts";
import { createSimulatedPrices } from "./simulated-prices.ts";

const ROUNDS = 15;
/** Calls per measurement, because many kernels count CPU time in ticks of 4 ms. */
const CALLS = 100_000;
/** Maximum CPU time of bounding the cost, as a multiple of JSON.parse and the schema check. */
const BUDGET = 1 / 3;

/** A request of 200 bytes for each endpoint whose requests can be plain. */
const REQUESTS: Readonly<Record<string, JsonObject>> = {
  "chat/completions": {
    model: "openai/gpt-4o-mini",
    messages: [
      { role: "system", content: "You are a helpful assistant." },
      { role: "user", content: "What is the capital of France? Answer in one word." },
    ],
    max_tokens: 200,
  },
  responses: {
    model: "openai/gpt-5-mini",
    instructions: "You are a helpful assistant.",
    input: [{ role: "user", content: "What is the capital of France? Answer in one word." }],
    max_output_tokens: 200,
    stream: true,
  },
  messages: {
    model: "anthropic/claude-haiku-4.5",
    messages: [
      { role: "user", content: "What is the capital of France? Answer in one word." },
      { role: "assistant", content: "The capital is" },
    ],
    max_tokens: 200,
    stream: true,
  },
};

/** @returns CPU time of one call, in ns. */
function measureNs(work: () => void): number {
  const before = process.threadCpuUsage();
  for (let count = 0; count < CALLS; count++) work();
  const { user, system } = process.threadCpuUsage(before);
  return ((user + system) * 1_000) / CALLS;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

const finder = new WorstCaseFinder(createSimulatedPrices());
let passed = true;
for (const endpoint of RELAYED_ENDPOINTS) {
  const fields = REQUESTS[endpoint.path];
  if (!fields) continue;
  const body = Buffer.from(JSON.stringify(fields));
  const request = { endpoint, body, fields, models: [String(fields["model"])], headers: {} };
  // The first call fetches the prices.
  const { nanodollars } = await finder.findWorstCase(request);
  const found: { boundNs: number; parseNs: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const boundNs = measureNs(() => {
      const bound = finder.findWorstCase(request);
      if (bound instanceof Promise || bound.nanodollars !== nanodollars)
        throw new Error("the bound must be cached");
    });
    const parseNs = measureNs(() =>
      checkSchema(endpoint.request.schema, JSON.parse(body.toString()) as JsonObject),
    );
    // The first round compiles the code.
    if (round > 0) found.push({ boundNs, parseNs });
  }
  const ratio = median(found.map(({ boundNs, parseNs }) => boundNs / parseNs));
  passed &&= ratio <= BUDGET;
  process.stdout.write(
    `${endpoint.path}, ${body.length} bytes: bound ${median(found.map(({ boundNs }) => boundNs)).toFixed(0)} ns, ` +
      `parse and check ${median(found.map(({ parseNs }) => parseNs)).toFixed(0)} ns, ratio ${ratio.toFixed(2)}\n`,
  );
}
process.exit(passed ? 0 : 1);
