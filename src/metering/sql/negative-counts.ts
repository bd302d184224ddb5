import { sql, type Transaction } from "kysely";
import type { Tables } from "../../store/database.ts";
import { LATENCY_COUNTS } from "../latency-counts.ts";
import { RESULT_COUNTS } from "../record.ts";

/** The counts that each table has of these; earlier versions did not count them. */
const COUNTS = {
  rollups: [...RESULT_COUNTS, ...LATENCY_COUNTS],
  rollups_daily: [...RESULT_COUNTS, ...LATENCY_COUNTS],
  rollups_end_users: RESULT_COUNTS,
} as const;

/**
 * Replaces negative counts of one group by 0. A gateway of an earlier version counted requests without their results and
 * latencies. The correction of such a request subtracts them nevertheless.
 * @param group the columns of the primary key.
 */
export async function clearNegativeCounts(
  transaction: Transaction<Tables>,
  table: keyof typeof COUNTS,
  group: Readonly<Record<string, string | number>>,
): Promise<void> {
  const changes = COUNTS[table].map((name) => {
    const count = sql.ref(name);
    return sql`${count} = case when ${count} < 0 then 0 else ${count} end`;
  });
  const conditions = Object.entries(group).map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  await sql`
    update ${sql.table(table)} set ${sql.join(changes)} where ${sql.join(conditions, sql` and `)}`.execute(
    transaction,
  );
}
