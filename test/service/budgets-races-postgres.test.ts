import { afterAll, beforeAll, expect, test } from "vitest";
import { mistakenExpiryContract } from "../budgets/mistaken-expiry-contract.ts";
import { racesContract } from "../budgets/races-contract.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 30_000);
afterAll(() => postgres.close());

const open = async () => openTestDatabase(await postgres.createDatabase());
racesContract(open);
mistakenExpiryContract(open);

test("idle money of another replica is not stranded, as it is in a static split", async () => {
  const databaseUrl = await postgres.createDatabase();
  const database = await openTestDatabase(databaseUrl);
  const key = createBudgetKey({ total: { limitNanodollars: 1_000, mode: "hard" } });
  const [idle, busy] = ["idle", "busy"].map(
    (instance) => new BudgetReplica({ database, databaseUrl, instance, replicas: 2, waitMs: 5_000 }),
  );
  await (await idle?.admit(key, 100))?.end({ state: "settled", cost_nanodollars: 10 });
  const request = await busy?.admit(key, 990);
  expect(request?.reservation.nanodollars).toBe(990);
  await request?.end({ state: "settled", cost_nanodollars: 990 });
});
