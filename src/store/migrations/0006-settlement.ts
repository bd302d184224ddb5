import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** The time that the deletion of old requests has believed last. */
export const settlement: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("retention_clock")
      .addColumn("id", "integer", (column) => column.primaryKey())
      .addColumn("trusted_at", "bigint", (column) => column.notNull())
      .execute();
  },
};
