import type { Kysely } from "kysely";
import type { Tables } from "../store/database.ts";

/** A key or a group that has budgets. */
export interface BudgetedRow {
  readonly id: string;
  readonly name: string;
  /** The column `limits`. */
  readonly limits: string;
}

/** Selects a page of keys or groups. */
export interface PageFilter {
  readonly limit: number;
  /** Id of the last row of the previous page; empty for the first page. */
  readonly after: string;
}

/** The start of the column `limits` of a key or a group with budgets: see `formatLimits`. */
const WITH_BUDGETS = '{"budgets":%';

/** Lists the keys that have budgets and are not revoked, by id. */
export async function listBudgetedKeys(
  db: Kysely<Tables>,
  { limit, after }: PageFilter,
): Promise<BudgetedRow[]> {
  return db
    .selectFrom("keys")
    .select(["id", "name", "limits"])
    .where("revoked_at", "is", null)
    .where("limits", "like", WITH_BUDGETS)
    .where("id", ">", after)
    .orderBy("id")
    .limit(limit)
    .execute();
}

/** Lists the groups that have budgets, by id. */
export async function listBudgetedGroups(
  db: Kysely<Tables>,
  { limit, after }: PageFilter,
): Promise<BudgetedRow[]> {
  return db
    .selectFrom("key_groups")
    .select(["id", "name", "limits"])
    .where("limits", "like", WITH_BUDGETS)
    .where("id", ">", after)
    .orderBy("id")
    .limit(limit)
    .execute();
}
