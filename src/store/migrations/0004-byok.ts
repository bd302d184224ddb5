import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** What providers charge for requests with the account's own key at them (BYOK), and tokens written to prompt caches. */
export const byok: Migration = {
  async up(db: Kysely<unknown>) {
    for (const [column, type] of [
      ["cache_write_tokens", "bigint"],
      ["is_byok", "integer"],
      ["upstream_inference_nanodollars", "bigint"],
    ] as const)
      await db.schema.alterTable("requests").addColumn(column, type).execute();
    for (const table of ["rollups", "rollups_daily"]) {
      for (const column of ["cache_write_tokens", "byok_nanodollars"])
        await db.schema
          .alterTable(table)
          .addColumn(column, "bigint", (definition) => definition.notNull().defaultTo(0))
          .execute();
    }
  },
};
