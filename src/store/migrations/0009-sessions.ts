import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Sessions of the dashboard. */
export const sessions: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("sessions")
      .addColumn("digest", "text", (column) => column.primaryKey())
      .addColumn("key_digest", "text", (column) => column.notNull())
      .addColumn("key_id", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema.createIndex("sessions_by_key").on("sessions").columns(["key_id", "created_at"]).execute();
  },
};
