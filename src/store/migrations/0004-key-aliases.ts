import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** The aliases of each key. The default is for keys that a gateway of an earlier version creates during an upgrade. */
export const keyAliases: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable("keys")
      .addColumn("aliases", "text", (column) => column.notNull().defaultTo("{}"))
      .execute();
  },
};
