import type { Database } from "../../store/database.ts";

/**
 * Deletes the periods of budgets that began before a time, and their leases. Budgets without periods stay.
 * @param before ms since 1970.
 */
export async function deleteBudgetsBefore({ kysely }: Database, before: number): Promise<void> {
  for (const table of ["budget_leases", "budget_periods"] as const)
    await kysely.deleteFrom(table).where("period", "!=", "total").where("starts_at", "<", before).execute();
}
