// Compares the CPU time of bounding the cost of a small request, and of admitting it to three budgets, with that of JSON.parse
// and the schema check of the same request. The prices are cached, and leases cover the requests. The results are ratios.
// No sockets: their CPU time is more than ten times as long.
import { BudgetAdmission } from "../../src/budgets/budget-admission.ts";
import type { BudgetedKey } from "../../src/budgets/definitions.ts";
import { SqlBudgetStore } from "../../src/budgets/sql/sql-budget-store.ts";
import { NO_LIMITS, UNLIMITED } from "../../src/limits/limit-settings.ts";
import { readSpent } from "../../src/metering/sql/budget-changes.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";
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

/** Maximum CPU time of the whole admission: the bound, the reservation, its end and its release. */
const ADMISSION_BUDGET = 1 / 2;

/** A key with two hard budgets whose limits are far away, in a group with a third. */
const hard = { limitNanodollars: 1e15, mode: "hard" } as const;
const KEY: BudgetedKey = {
  id: "key_bench",
  ...UNLIMITED,
  limits: { ...NO_LIMITS, budgets: { day: hard, month: hard } },
  group: {
    id: "grp_bench",
    name: "bench",
    limits: { ...NO_LIMITS, budgets: { month: hard } },
    limitsChangedAt: 0,
  },
};

/** Opens budgets in a SQLite database, and counts the draws of money. */
async function openBudgets() {
  const database = openDatabase({ dataDir: createTemporaryDirectory(), databaseUrl: undefined }, () => {});
  await database.migrate();
  let draws = 0;
  const store = new SqlBudgetStore({
    database,
    databaseUrl: undefined,
    instance: "bench",
    readSpent,
    countReplicas: () => {
      draws++;
      return Promise.resolve(1);
    },
  });
  const budgets = new BudgetAdmission({ store, waitMs: 1_000, onFailure: (error) => console.error(error) });
  return { budgets, countDraws: () => draws };
}

const finder = new WorstCaseFinder(createSimulatedPrices());
const { budgets, countDraws } = await openBudgets();
let passed = true;
let admitted = 0;

/** Admits a request on the lease of this process, and settles it, as a gateway does without its database. */
function admit(worstCase: number): boolean {
  const account = budgets.find(KEY, undefined);
  const reservation = account && budgets.admit(account, worstCase);
  if (!reservation || reservation instanceof Promise) return false;
  reservation.end(worstCase >> 1);
  reservation.commit();
  admitted++;
  return true;
}

for (const endpoint of RELAYED_ENDPOINTS) {
  const fields = REQUESTS[endpoint.path];
  if (!fields) continue;
  const body = Buffer.from(JSON.stringify(fields));
  const request = { endpoint, body, fields, models: [String(fields["model"])], headers: {} };
  // The first call fetches the prices.
  const { nanodollars } = await finder.findWorstCase(request);
  const found: { boundNs: number; admissionNs: number; parseNs: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const boundNs = measureNs(() => {
      const bound = finder.findWorstCase(request);
      if (bound instanceof Promise || bound.nanodollars !== nanodollars)
        throw new Error("the bound must be cached");
    });
    // A measurement takes longer than a lease lasts without a turn of the event loop, which would refill it.
    await drawFor(nanodollars ?? 0);
    const admissionNs = measureNs(() => {
      const bound = finder.findWorstCase(request);
      if (bound instanceof Promise || !admit(bound.nanodollars ?? 0))
        throw new Error("the lease is too small");
    });
    const parseNs = measureNs(() =>
      checkSchema(endpoint.request.schema, JSON.parse(body.toString()) as JsonObject),
    );
    // The first round compiles the code.
    if (round > 0) found.push({ boundNs, admissionNs, parseNs });
  }
  const bound = median(found.map(({ boundNs, parseNs }) => boundNs / parseNs));
  const admission = median(found.map(({ admissionNs, parseNs }) => admissionNs / parseNs));
  passed &&= bound <= BUDGET && admission <= ADMISSION_BUDGET;
  const show = (name: "boundNs" | "admissionNs" | "parseNs"): string =>
    median(found.map((one) => one[name])).toFixed(0);
  process.stdout.write(
    `${endpoint.path}, ${body.length} bytes: parse and check ${show("parseNs")} ns, bound ${show("boundNs")} ns (ratio ${bound.toFixed(2)}), ` +
      `admission with the bound ${show("admissionNs")} ns (ratio ${admission.toFixed(2)})\n`,
  );
}
process.stdout.write(`${admitted} requests admitted to 3 budgets with ${countDraws()} draws\n`);
await budgets.close();
process.exit(passed ? 0 : 1);

/** Admits requests until the lease has money for a whole measurement. */
async function drawFor(worstCase: number): Promise<void> {
  const account = budgets.find(KEY, undefined);
  const reservation = account && (await budgets.admit(account, worstCase * CALLS));
  reservation?.cancel();
}
