import { expect, test } from "vitest";
import { startPostgres } from "../support/postgres.ts";
import { ENDPOINT_NAMES } from "../../src/endpoints/relayed-endpoints.ts";
import { MODEL_ENDPOINTS } from "../support/model-bodies.ts";
import { runSimulation } from "./simulate.ts";
import type { Verdict } from "./verify.ts";

const REQUESTS = 2_000;
const SEED = 1;
/** Percentage of the total cost that may be unknown because clients disconnect before the response head. */
const UNKNOWN_LEFT_MAX_PERCENT = 0.5;
/** The same for gateways that are killed before the response head. One request is up to 0.25 % of the total. */
const UNKNOWN_KILLED_MAX_PERCENT = 5;

test("the simulation has every endpoint of the gateway", () => {
  expect(MODEL_ENDPOINTS.map(({ path }) => path)).toEqual(ENDPOINT_NAMES);
});

/** Expects that each endpoint had requests that were cut short, whose cost was looked up, and that were settled. */
function expectEveryEndpoint({ endpoints, interrupted }: Verdict): void {
  expect(interrupted).toBeGreaterThan(0);
  for (const { path } of MODEL_ENDPOINTS) {
    const { requests = 0, settledByGeneration = 0, nanodollars = 0 } = endpoints[path] ?? {};
    expect([path, requests > 0, settledByGeneration > 0, nanodollars > 0]).toEqual([path, true, true, true]);
  }
}

function expectFewUnknown({ unknownLeftBeforeHeadPercent, unknownKilledPercent }: Verdict): void {
  expect(unknownLeftBeforeHeadPercent).toBeLessThanOrEqual(UNKNOWN_LEFT_MAX_PERCENT);
  expect(unknownKilledPercent).toBeLessThanOrEqual(UNKNOWN_KILLED_MAX_PERCENT);
}

test("with SQLite, the ledger equals upstream's billed costs to the nanodollar after three kills", async () => {
  const verdict = await runSimulation({ requests: REQUESTS, seed: SEED, databaseUrl: undefined });
  expect(verdict.differences).toEqual([]);
  expectEveryEndpoint(verdict);
  expectFewUnknown(verdict);
}, 300_000);

test("with two replicas on one PostgreSQL, the ledger equals upstream's billed costs after three kills", async () => {
  const postgres = await startPostgres();
  try {
    const verdict = await runSimulation({
      requests: REQUESTS,
      seed: SEED,
      databaseUrl: await postgres.createDatabase(),
    });
    expect(verdict.differences).toEqual([]);
    expectEveryEndpoint(verdict);
    expectFewUnknown(verdict);
  } finally {
    await postgres.close();
  }
}, 300_000);
