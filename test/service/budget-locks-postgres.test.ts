import { afterAll, beforeAll, expect, test } from "vitest";
import { adoptOrphans } from "../../src/metering/sql/instances.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { sql } from "kysely";
import type { Database } from "../../src/store/database.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { createRequestRow } from "../support/request-row.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

const budgets = { day: { limitNanodollars: 1_000, mode: "hard" } } as const;
const [FIRST, LAST] = ["key_a", "key_z"].map((id) => ({ ...createBudgetKey(budgets), id })) as [
  ReturnType<typeof createBudgetKey>,
  ReturnType<typeof createBudgetKey>,
];
const SILENCE = { deadAfterMs: 60_000, lostAfterMs: 3_600_000 };

/** Waits until a number of statements wait for locks. */
async function waitForBlocked(database: Database, count: number): Promise<void> {
  await waitUntil(async () => {
    const { rows } = await sql<{
      blocked: number;
    }>`select count(*) as blocked from pg_locks where not granted`.execute(database.kysely);
    return rows[0]?.blocked === count;
  }, `${count} blocked statements`);
}

test("the take-over of a dead process cannot deadlock with the settlement of requests", async () => {
  const database = await openTestDatabase(await postgres.createDatabase());
  const [dead, live] = [
    new BudgetReplica({ database, instance: "dead" }),
    new BudgetReplica({ database, instance: "live" }),
  ];
  await dead.admit(FIRST, 100);
  const { reservation } = await dead.admit(LAST, 100);
  const reserved = { reserved_nanodollars: 100, reserved_in: reservation.reservedIn, started_at: Date.now() };
  const ofDead = { ...reserved, instance: "dead", key_id: LAST.id, generation_id: "gen-1" };
  await writeRequests(database, [createRequestRow("r-0", ofDead)]);
  for (const key of [FIRST, LAST]) await live.admit(key, 100);
  const ended = [FIRST, LAST].map(({ id }) =>
    createRequestRow(`r-${id}`, {
      ...reserved,
      instance: "live",
      key_id: id,
      state: "settled",
      cost_nanodollars: 1,
    }),
  );
  await database.kysely
    .insertInto("instances")
    .values({ id: "live", seen_at: 9e15, started_at: 0 })
    .execute();
  let adoption: Promise<unknown> = Promise.resolve();
  let settlement: Promise<unknown> = Promise.resolve();
  await database.kysely.transaction().execute(async (transaction) => {
    await sql`select * from budget_leases where instance = 'dead' and scope = 'key:key_z' for update`.execute(
      transaction,
    );
    adoption = adoptOrphans(database, SILENCE);
    await waitForBlocked(database, 1);
    settlement = writeRequests(database, ended);
    await waitForBlocked(database, 2);
  });
  await expect(Promise.all([adoption, settlement])).resolves.toBeDefined();
});

test("a request does not fail because the database responds later than requests may wait for money", async () => {
  const database = await openTestDatabase(await postgres.createDatabase());
  const replica = new BudgetReplica({ database, instance: "a", waitMs: 0 });
  await replica.admit(FIRST, 700);
  await expect(replica.admit(FIRST, 700)).rejects.toMatchObject({ code: "budget_reserved" });
});
