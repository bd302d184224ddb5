import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** The endpoint of each request and the client's session. Earlier requests were chat completions. */
export const endpointAndSession: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable("requests")
      .addColumn("endpoint", "text", (column) => column.notNull().defaultTo("chat/completions"))
      .execute();
    await db.schema.alterTable("requests").addColumn("session", "text").execute();
  },
};
