import type { Selectable } from "kysely";
import type { KeyGroup } from "../limits/limit-settings.ts";
import type { KeyGroupTable } from "./key-tables.ts";
import { parseLimits } from "./limit-columns.ts";

/** All properties of a group of keys, for the admin API and the command line. */
export interface ManagedGroup extends KeyGroup {
  /** ms since 1970. */
  readonly createdAt: number;
}

/** A row of the table of groups. */
export type GroupRow = Selectable<KeyGroupTable>;

/** Converts a row to a group. */
export function toManagedGroup(row: GroupRow): ManagedGroup {
  return {
    id: row.id,
    name: row.name,
    limits: parseLimits(row.limits),
    limitsChangedAt: row.limits_changed_at,
    createdAt: row.created_at,
  };
}
