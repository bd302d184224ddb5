import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Keys, the order of their changes, and who made them. */
export const keys: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("keys")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("owner", "text")
      .addColumn("metadata", "text", (column) => column.notNull())
      .addColumn("role", "text", (column) => column.notNull())
      .addColumn("prefix", "text", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull().unique())
      .addColumn("previous_digest", "text", (column) => column.unique())
      .addColumn("previous_until", "bigint")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("last_used_at", "bigint")
      .addColumn("expires_at", "bigint")
      .addColumn("disabled", "integer", (column) => column.notNull())
      .addColumn("revoked_at", "bigint")
      .addColumn("models", "text")
      .addColumn("on_disconnect", "text", (column) => column.notNull())
      .addColumn("revision", "bigint", (column) => column.notNull())
      .execute();
    // A name can be given again when its key is revoked.
    await sql`create unique index keys_name on keys (name) where revoked_at is null`.execute(db);
    await db.schema.createIndex("keys_by_revision").on("keys").column("revision").execute();
    await db.schema
      .createTable("key_revision")
      .addColumn("id", "integer", (column) => column.primaryKey())
      .addColumn("revision", "bigint", (column) => column.notNull())
      .execute();
    await (db as Kysely<{ key_revision: { id: number; revision: number } }>)
      .insertInto("key_revision")
      .values({ id: 1, revision: 0 })
      .execute();
    await db.schema
      .createTable("audit")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("actor", "text", (column) => column.notNull())
      .addColumn("action", "text", (column) => column.notNull())
      .addColumn("key_id", "text")
      .addColumn("details", "text", (column) => column.notNull())
      .addColumn("source", "text", (column) => column.notNull())
      .execute();
  },
};
