import type { Kysely } from "kysely";
import { type BudgetStatus, readBudgets } from "../../budgets/sql/read-budgets.ts";
import { toGroupScope, toKeyScope } from "../../budgets/scopes.ts";
import type { LimitSettings } from "../../limits/limit-settings.ts";
import type { Database, Tables } from "../../store/database.ts";
import { joinSumParts, selectSumParts } from "../../store/exact-sums.ts";

/** A key or a group, with its limits. */
interface Limited {
  readonly id: string;
  readonly limits: LimitSettings;
}

/**
 * Reads the current periods of the budgets of a key. Before the first request of a period, the budget has no row, and the sums
 * of the ledger state what was spent.
 * @param now ms since 1970.
 */
export async function readKeyBudgets(
  database: Database,
  { id, limits: { budgets } }: Limited,
  now: number,
): Promise<BudgetStatus[]> {
  return readBudgets(database, { scope: toKeyScope(id), budgets }, now, (startsAt) =>
    readCost(selectDailySums(database, startsAt).where("key_id", "=", id)),
  );
}

/**
 * Reads the current periods of the budgets of a group. Without a row, the keys that belong to the group now state what was
 * spent.
 * @param now ms since 1970.
 */
export async function readGroupBudgets(
  database: Database,
  { id, limits: { budgets } }: Limited,
  now: number,
): Promise<BudgetStatus[]> {
  return readBudgets(database, { scope: toGroupScope(id), budgets }, now, (startsAt) =>
    readCost(
      selectDailySums(database, startsAt).where("key_id", "in", (eb) =>
        eb.selectFrom("keys").select("keys.id").where("group_id", "=", id),
      ),
    ),
  );
}

type DailySums = ReturnType<typeof selectDailySums>;

function selectDailySums({ reader }: { readonly reader: Kysely<Tables> }, startsAt: number) {
  return reader.selectFrom("rollups_daily").where("day", ">=", startsAt);
}

async function readCost(sums: DailySums): Promise<number> {
  const { billions, rest } = await sums
    .select((eb) => {
      const parts = selectSumParts(eb.ref("cost_nanodollars"));
      return [parts.billions.as("billions"), parts.rest.as("rest")];
    })
    .executeTakeFirstOrThrow();
  return Number(joinSumParts(billions, rest));
}
