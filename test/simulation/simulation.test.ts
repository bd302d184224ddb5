import { expect, test } from "vitest";
import { startPostgres } from "../support/postgres.ts";
import { runSimulation } from "./simulate.ts";

const REQUESTS = 2_000;
const SEED = 1;
/** Percentage of the total cost that may be unknown because clients disconnect before the response head. */
const UNKNOWN_LEFT_MAX_PERCENT = 0.5;

test("with SQLite, the ledger equals upstream's billed costs to the nanodollar after three kills", async () => {
  const verdict = await runSimulation({ requests: REQUESTS, seed: SEED, databaseUrl: undefined });
  expect(verdict.differences).toEqual([]);
  expect(verdict.settledByGeneration).toBeGreaterThan(0);
  expect(verdict.interrupted).toBeGreaterThan(0);
  expect(verdict.unknownLeftBeforeHeadPercent).toBeLessThanOrEqual(UNKNOWN_LEFT_MAX_PERCENT);
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
    expect(verdict.settledByGeneration).toBeGreaterThan(0);
    expect(verdict.interrupted).toBeGreaterThan(0);
    expect(verdict.unknownLeftBeforeHeadPercent).toBeLessThanOrEqual(UNKNOWN_LEFT_MAX_PERCENT);
  } finally {
    await postgres.close();
  }
}, 300_000);
