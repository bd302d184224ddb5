import { type Kysely, sql } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import type { BudgetId } from "../budget-id.ts";
import type { StoredBudget } from "../budget-store.ts";

/** Clocks of machines, and so the times of a change and of a request, may differ by this much. */
const CLOCK_MARGIN_MS = 60_000;

/** Reads what the requests of a scope that began at a time or later have cost. Implemented by `metering/`. */
export type ReadSpent = (transaction: Kysely<Tables>, id: BudgetId) => Promise<number>;

/**
 * Creates the row of a budget's period, unless it exists. A budget that is set during a period begins with what its scope has
 * spent in the period. Nothing may settle between the read of this sum and the insertion of the row, because it would be in
 * neither. A period that began well after the last change of the budget has no such sum.
 */
export async function openBudget(
  database: Database,
  { id, limit, changedAt }: StoredBudget,
  readSpent: ReadSpent,
): Promise<void> {
  const { scope, period, startsAt } = id;
  await database.kysely.transaction().execute(async (transaction) => {
    let spent = 0;
    if (startsAt <= changedAt + CLOCK_MARGIN_MS) {
      // Waits for running settlements, and blocks new ones until this short transaction ends.
      if (!database.sqlite)
        await sql`lock table rollups_daily, rollups_end_users in share mode`.execute(transaction);
      spent = await readSpent(transaction, id);
    }
    await transaction
      .insertInto("budget_periods")
      .values({
        scope,
        period,
        starts_at: startsAt,
        limit_nanodollars: limit,
        spent_nanodollars: spent,
        presumed_nanodollars: 0,
        leased_nanodollars: 0,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  });
}
