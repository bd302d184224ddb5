import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Adds an index with which the request of a generation is found. Rows without a generation are not in the index. */
export const generationIndex: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`create index requests_by_generation on requests (generation_id) where generation_id is not null`.execute(
      db,
    );
  },
};
