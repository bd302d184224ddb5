import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { runStep, step, type Step } from "./model/steps.ts";
import { World } from "./model/world.ts";

/** Number of random histories. A search for faults sets a higher number, and a failure names its seed. */
const RUNS = Number(process.env["MODEL_RUNS"] ?? 20);
const SEED = process.env["MODEL_SEED"];
const RUN_DEADLINE_MS = 60_000;

async function clear({ kysely }: Database): Promise<void> {
  for (const table of [
    "budget_periods",
    "budget_leases",
    "requests",
    "instances",
    "rollups_daily",
    "rollups",
  ])
    await kysely.deleteFrom(table as "requests").execute();
}

/** Tests of budgets against a reference, for every database. @param createUrl creates a database of PostgreSQL. */
export function modelContract(createUrl: () => Promise<string | undefined>): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test(
    "budgets hold in random histories of requests, crashes, failures, clock jumps and changes",
    async () => {
      const databaseUrl = await createUrl();
      const database = await openTestDatabase(databaseUrl);
      const directory = createTemporaryDirectory();
      let count = 0;
      const runHistory = async (steps: readonly Step[]): Promise<void> => {
        await clear(database);
        const world = new World({
          database,
          databaseUrl,
          directory: `${directory}/${count++}`,
          processes: 3,
          waitMs: 60,
        });
        try {
          for (const one of steps) {
            await runStep(world, one);
            await world.check();
          }
          await world.finish();
        } finally {
          await world.close();
        }
      };
      const check = fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), runHistory), {
        numRuns: RUNS,
        ...(SEED !== undefined && { seed: Number(SEED) }),
      });
      await expect(check).resolves.toBeUndefined();
    },
    RUNS * RUN_DEADLINE_MS,
  );
}
