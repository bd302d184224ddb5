import { expect, test } from "vitest";
import { startPostgres } from "../support/postgres.ts";
import { runSimulation } from "./simulate.ts";

const REQUESTS = 2_000;
const SEED = 1;
/** Of all money, what may be lost track of because clients leave before the response head. */
const UNKNOWN_LEFT_MAX_PERCENT = 0.5;

test("with SQLite, through three kills, the ledger says to the nanodollar what upstream billed", async () => {
  const verdict = await runSimulation({ requests: REQUESTS, seed: SEED, databaseUrl: undefined });
  expect(verdict.differences).toEqual([]);
  expect(verdict.settledByGeneration).toBeGreaterThan(0);
  expect(verdict.interrupted).toBeGreaterThan(0);
  expect(verdict.unknownLeftBeforeHeadPercent).toBeLessThanOrEqual(UNKNOWN_LEFT_MAX_PERCENT);
}, 300_000);

test("with two replicas on one PostgreSQL, through three kills, the ledger says the same", async () => {
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
