import { expect, test } from "vitest";
import { startPostgres } from "../support/postgres.ts";
import { simulateLimits } from "./simulate.ts";

const SMALL = { clients: 40, requestsEach: 10, plan: { seed: 1, responsePart: [0.8, 0.97] as const } };

test("with four gateways on one PostgreSQL, no bill exceeds a budget, and the budgets are usable", async () => {
  const postgres = await startPostgres();
  try {
    const { violations, kills } = await simulateLimits({ ...SMALL, gateways: 4, postgres });
    expect({ violations, kills }).toEqual({ violations: [], kills: 3 });
  } finally {
    await postgres.close();
  }
}, 300_000);

test("with SQLite, no bill exceeds a budget, and the budget is usable, after three kills", async () => {
  const { violations, kills } = await simulateLimits({ ...SMALL, gateways: 1, postgres: undefined });
  expect({ violations, kills }).toEqual({ violations: [], kills: 3 });
}, 300_000);
