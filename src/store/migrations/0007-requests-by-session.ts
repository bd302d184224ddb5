import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Adds an index on the requests of a session. Requests without a session do not take space in it. */
export const requestsBySession: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`create index requests_by_session on requests (session, id) where session is not null`.execute(
      db,
    );
  },
};
