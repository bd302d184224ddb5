import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

const RESULTS = ["failed_requests", "cancelled_requests"];
const BOUNDS_MS = [125, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000];
const LATENCIES = ["first_byte", "total"].flatMap((prefix) => [
  ...BOUNDS_MS.map((bound) => `${prefix}_le_${bound}`),
  `${prefix}_above`,
]);

/**
 * Adds the numbers of failed and of cancelled requests and the histograms of latencies to the sums. The sums of earlier
 * requests have none.
 */
export const resultsAndLatencies: Migration = {
  async up(db: Kysely<unknown>) {
    for (const table of ["rollups", "rollups_daily"]) await addCounts(db, table, [...RESULTS, ...LATENCIES]);
    await addCounts(db, "rollups_end_users", RESULTS);
  },
};

/** The default is for earlier rows, and for those that a gateway of an earlier version adds during an upgrade. */
async function addCounts(db: Kysely<unknown>, table: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    await db.schema
      .alterTable(table)
      .addColumn(name, "bigint", (column) => column.notNull().defaultTo(0))
      .execute();
}
