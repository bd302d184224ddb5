import type { Kysely } from "kysely";
import { type Alert, BUDGET_THRESHOLDS, createBudgetAlert } from "../../alerts/alert.ts";
import { enqueueAlert } from "../../alerts/sql/enqueue-alert.ts";
import { findPeriod } from "../../budgets/periods.ts";
import { parseScope } from "../../budgets/scopes.ts";
import type { ChangedPeriod } from "../../budgets/sql/settle-budgets.ts";
import type { Database, Tables } from "../../store/database.ts";

/** Stores an alert for each budget whose spending reached a percentage. Must run in the transaction that changed the budgets. */
export async function alertThresholds(
  database: Database,
  transaction: Kysely<Tables>,
  changed: readonly ChangedPeriod[],
): Promise<void> {
  for (const { before, spentAfter } of changed) {
    const { scope, period, starts_at, limit_nanodollars: limit, spent_nanodollars: spentBefore } = before;
    const { kind, id, keyId } = parseScope(scope);
    for (const percent of BUDGET_THRESHOLDS) {
      const threshold = (limit * percent) / 100;
      if (limit === 0 || spentBefore >= threshold || spentAfter < threshold) continue;
      const alert: Alert = createBudgetAlert({
        scope: kind,
        scopeId: id,
        scopeName: await readName(transaction, kind, id),
        keyId,
        period,
        startsAt: starts_at,
        endsAt: findPeriod(period, starts_at).endsAt,
        limitNanodollars: limit,
        spentNanodollars: spentAfter,
        percent,
      });
      await enqueueAlert(database, transaction, alert);
    }
  }
}

/** Reads the name of a key or group. The name of an end user is its id. */
async function readName(
  transaction: Kysely<Tables>,
  kind: "key" | "group" | "end_user",
  id: string,
): Promise<string> {
  if (kind === "end_user") return id;
  const table = kind === "key" ? "keys" : "key_groups";
  const row = await transaction.selectFrom(table).select("name").where("id", "=", id).executeTakeFirst();
  return row?.name ?? id;
}
