import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mistakenExpiryContract } from "../budgets/mistaken-expiry-contract.ts";
import { racesContract } from "../budgets/races-contract.ts";
import { releaseLeases } from "../../src/budgets/sql/lease-expiry.ts";
import { changeBudgets } from "../../src/metering/sql/budget-changes.ts";
import { INTERRUPTED, STATE } from "../../src/metering/record.ts";
import { readBudgets } from "../budgets/budgets-contract.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
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

test("the rest of a reservation that returns while the lease of a dead process is released is not stranded", async () => {
  const database = await open();
  const key = createBudgetKey({ total: { limitNanodollars: 1_000, mode: "hard" } });
  const request = await new BudgetReplica({ database, instance: "dead" }).admit(key, 100);
  await request.end({ state: STATE.pending, outcome: INTERRUPTED, generation_id: "gen-1" });
  const pending = await database.kysely.selectFrom("requests").selectAll().executeTakeFirstOrThrow();
  const settled = { ...pending, state: STATE.settled, cost_nanodollars: 30 };
  const released = await database.kysely.transaction().execute(async (transaction) => {
    await transaction.selectFrom("budget_periods").selectAll().forUpdate().execute();
    const release = releaseLeases(database, "dead");
    await waitUntil(async () => {
      const { rows } = await sql`select 1 from pg_locks where not granted`.execute(database.kysely);
      return rows.length > 0;
    }, "the release to wait for the row of the budget");
    await changeBudgets(database, transaction, [{ row: settled, before: STATE.pending }]);
    return { release };
  });
  await released.release;
  expect(await readBudgets(database)).toEqual([
    { budget: "key:key_1 total", spent: 30, presumed: 0, leased: 0 },
  ]);
});

test("a draw that fails does not wait for the row of the budget, which a settlement has locked", async () => {
  const database = await open();
  const key = createBudgetKey({ total: { limitNanodollars: 1_000, mode: "hard" } });
  const [first, second] = ["first", "second"].map((instance) => new BudgetReplica({ database, instance }));
  await first?.admit(key, 900);
  await database.kysely.transaction().execute(async (transaction) => {
    await transaction.selectFrom("budget_periods").selectAll().forUpdate().execute();
    const refused = second?.admit(key, 900);
    await expect(refused).rejects.toMatchObject({ code: "budget_reserved" });
  });
});
