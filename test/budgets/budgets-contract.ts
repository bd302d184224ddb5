import { describe, expect, test } from "vitest";
import { settleRow } from "../../src/metering/sql/settlements.ts";
import { mapTokenCounts } from "../../src/metering/record.ts";
import type { Database } from "../../src/store/database.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import type { OpenDatabase } from "../support/ledger-rows.ts";

const DAY_LIMIT = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });

/** Reads the budgets in the database. */
export async function readBudgets({ kysely }: Database) {
  const rows = await kysely
    .selectFrom("budget_periods")
    .selectAll()
    .orderBy("scope")
    .orderBy("period")
    .execute();
  return rows.map(({ scope, period, spent_nanodollars, presumed_nanodollars, leased_nanodollars }) => ({
    budget: `${scope} ${period}`,
    spent: spent_nanodollars,
    presumed: presumed_nanodollars,
    leased: leased_nanodollars,
  }));
}

/** Tests of budgets, for every database. */
export function budgetsContract(open: OpenDatabase): void {
  describe("a hard budget", () => {
    test("admits requests while their worst cases fit, and settles them to their costs", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      const first = await replica.admit(DAY_LIMIT, 400);
      const second = await replica.admit(DAY_LIMIT, 400);
      await first.end({ state: "settled", cost_nanodollars: 100 });
      await second.end({ state: "settled", cost_nanodollars: 50 });
      await replica.budgets.close();
      expect(await readBudgets(database)).toEqual([
        { budget: "key:key_1 day", spent: 150, presumed: 0, leased: 0 },
      ]);
    });

    test("refuses a request whose worst case exceeds what is left", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      await (await replica.admit(DAY_LIMIT, 400)).end({ state: "settled", cost_nanodollars: 300 });
      await expect(replica.admit(DAY_LIMIT, 701)).rejects.toMatchObject({ code: "budget_exceeded" });
      const fitting = await replica.admit(DAY_LIMIT, 700);
      await fitting.end({ state: "settled", cost_nanodollars: 700 });
      await expect(replica.admit(DAY_LIMIT, 1)).rejects.toMatchObject({ code: "budget_exceeded" });
    });

    test("lets a request wait for money that a request in flight holds, and refuses it after a while", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      const first = await replica.admit(DAY_LIMIT, 800);
      await expect(replica.admit(DAY_LIMIT, 800)).rejects.toMatchObject({ code: "budget_reserved" });
      const waiting = replica.admit(DAY_LIMIT, 800);
      await first.end({ state: "settled", cost_nanodollars: 200 });
      await (await waiting).end({ state: "settled", cost_nanodollars: 800 });
      await replica.budgets.close();
      expect(await readBudgets(database)).toEqual([
        { budget: "key:key_1 day", spent: 1_000, presumed: 0, leased: 0 },
      ]);
    });

    test("presumes the worst case of a request without a known cost until the cost is known", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      const request = await replica.admit(DAY_LIMIT, 600);
      await request.end({ state: "pending", generation_id: "gen-1", settle_at: 1 });
      await expect(replica.admit(DAY_LIMIT, 500)).rejects.toMatchObject({ code: "budget_exceeded" });
      const [row] = await database.kysely.selectFrom("requests").selectAll().execute();
      await settleRow(database, row?.id ?? "", {
        state: "settled",
        cost_nanodollars: 20,
        cost_source: "generation",
        ...mapTokenCounts(() => null),
        is_byok: null,
        upstream_inference_nanodollars: null,
        provider: null,
        response_model: null,
      });
      await (await replica.admit(DAY_LIMIT, 980)).end({ state: "settled", cost_nanodollars: 0 });
      await replica.budgets.close();
      expect(await readBudgets(database)).toEqual([
        { budget: "key:key_1 day", spent: 20, presumed: 0, leased: 0 },
      ]);
    });
  });

  test("a request must fit in the budgets of its key, its group and its end user", async () => {
    const database = await open();
    const replica = new BudgetReplica({ database, instance: "a" });
    const hard = (limitNanodollars: number) => ({ limitNanodollars, mode: "hard" as const });
    const key = createBudgetKey(
      { month: hard(1_000) },
      {
        group: {
          id: "g1",
          name: "team-a",
          limits: { ...DAY_LIMIT.limits, budgets: { total: hard(600) } },
          limitsChangedAt: 0,
        },
        endUsers: { source: "user", budgets: { day: hard(300) } },
      },
    );
    const request = await replica.admit(key, 300, "ann");
    await expect(replica.admit(key, 1, "ann")).rejects.toMatchObject({ code: "budget_reserved" });
    const other = await replica.admit(key, 300, "bob");
    await expect(replica.admit(key, 1)).rejects.toMatchObject({ code: "budget_reserved" });
    await request.end({ state: "settled", cost_nanodollars: 100 });
    await other.end({ state: "settled", cost_nanodollars: 200 });
    await replica.budgets.close();
    expect(await readBudgets(database)).toEqual([
      { budget: "end_user:key_1/ann day", spent: 100, presumed: 0, leased: 0 },
      { budget: "end_user:key_1/bob day", spent: 200, presumed: 0, leased: 0 },
      { budget: "group:g1 total", spent: 300, presumed: 0, leased: 0 },
      { budget: "key:key_1 month", spent: 300, presumed: 0, leased: 0 },
    ]);
  });
}
