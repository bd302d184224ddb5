import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Finds the requests of one key, and those without a settled cost, without a look at the rest of the ledger. */
export const requestsByKey: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.createIndex("requests_by_key").on("requests").columns(["key_id", "id"]).execute();
    // Partial, so that a request that is written settled, as nearly all are, does not pay for it.
    await sql`create index requests_unsettled on requests (state, id) where state in ('open', 'pending', 'unknown')`.execute(
      db,
    );
  },
};
