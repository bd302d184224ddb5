import { type Transaction, sql } from "kysely";
import { BIGINT, type RowOf, TEXT } from "../../store/columns.ts";
import type { Database, Tables } from "../../store/database.ts";
import { type RequestRow, toSums } from "../record.ts";
import { clearNegativeCounts } from "./negative-counts.ts";
import { floorToDay } from "./rollup-times.ts";
import { createSumTable, SUM_COLUMNS } from "./sum-statements.ts";

const BATCH_MAX = 1_000;

/** Columns of the daily sums of end users. `day` is the UTC day in which the requests started, in ms since 1970. */
export const END_USER_COLUMNS = { day: BIGINT, key_id: TEXT, end_user: TEXT, ...SUM_COLUMNS };

/** The sums of one day, key and end user. */
export type EndUserRollupRow = RowOf<typeof END_USER_COLUMNS>;

declare module "../../store/database.ts" {
  interface Tables {
    rollups_end_users: EndUserRollupRow;
  }
}

const DAILY = createSumTable("rollups_end_users", ["day", "key_id", "end_user"], END_USER_COLUMNS);

/**
 * Adds requests that have become final to the sums of their end users. Requests without an end user are not counted. Must run
 * in the transaction that made the requests final.
 * @param corrected previous versions of corrected rows; their amounts are subtracted.
 */
export async function addToEndUserRollups(
  { sqlite }: Database,
  transaction: Transaction<Tables>,
  settled: readonly RequestRow[],
  corrected: readonly RequestRow[],
): Promise<void> {
  const wrong = corrected.flatMap(toRollup);
  const rows = DAILY.merge([...settled.flatMap(toRollup), ...wrong.map((row) => DAILY.negate(row))]);
  if (rows.length === 0) return;
  if (sqlite) for (const row of rows) DAILY.prepare(sqlite)(row);
  else await DAILY.build(rows).execute(transaction);
  for (const { day, key_id, end_user } of wrong)
    await clearNegativeCounts(transaction, "rollups_end_users", { day, key_id, end_user });
}

/**
 * Deletes the sums of days that ended before a time. Unlike other sums, they are not kept without limit: clients choose the
 * names of end users, so the number of rows has no other bound, and names can be personal data.
 * @param before ms since 1970. @param signal stops the deletion after the current batch.
 */
export async function deleteEndUserRollupsBefore(
  { kysely }: Database,
  before: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      delete from rollups_end_users where (day, key_id, end_user) in (
        select day, key_id, end_user from rollups_end_users where day < ${floorToDay(before)}
        order by day limit ${BATCH_MAX})`.execute(kysely);
    if (numAffectedRows < BATCH_MAX || signal.aborted) return;
  }
}

function toRollup(row: RequestRow): EndUserRollupRow[] {
  const { key_id, end_user, started_at } = row;
  return end_user === null ? [] : [{ ...toSums(row), day: floorToDay(started_at), key_id, end_user }];
}
