import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** One row per request, their sums by the hour, and the processes that write them. */
export const ledger: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("instances")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("started_at", "bigint", (column) => column.notNull())
      .addColumn("seen_at", "bigint", (column) => column.notNull())
      .execute();
    await createRequests(db);
    await db.schema
      .createTable("rollups")
      .addColumn("hour", "bigint", (column) => column.notNull())
      .addColumn("key_id", "text", (column) => column.notNull())
      .addColumn("model", "text", (column) => column.notNull())
      .addColumn("provider", "text", (column) => column.notNull())
      .addColumn("requests", "bigint", (column) => column.notNull())
      .addColumn("unknown_requests", "bigint", (column) => column.notNull())
      .addColumn("prompt_tokens", "bigint", (column) => column.notNull())
      .addColumn("completion_tokens", "bigint", (column) => column.notNull())
      .addColumn("cached_tokens", "bigint", (column) => column.notNull())
      .addColumn("reasoning_tokens", "bigint", (column) => column.notNull())
      .addColumn("cost_nanodollars", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("rollups_pk", ["hour", "key_id", "model", "provider"])
      .execute();
    await db.schema.createIndex("rollups_by_key").on("rollups").columns(["key_id", "hour"]).execute();
  },
};

async function createRequests(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("requests")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("request_id", "text", (column) => column.notNull())
    .addColumn("generation_id", "text")
    .addColumn("instance", "text", (column) => column.notNull())
    .addColumn("key_id", "text", (column) => column.notNull())
    .addColumn("key_name", "text", (column) => column.notNull())
    .addColumn("requested_model", "text")
    .addColumn("forwarded_model", "text")
    .addColumn("response_model", "text")
    .addColumn("provider", "text")
    .addColumn("stream", "integer", (column) => column.notNull())
    .addColumn("status", "integer", (column) => column.notNull())
    .addColumn("outcome", "text")
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("prompt_tokens", "bigint")
    .addColumn("completion_tokens", "bigint")
    .addColumn("cached_tokens", "bigint")
    .addColumn("reasoning_tokens", "bigint")
    .addColumn("cost_nanodollars", "bigint")
    .addColumn("cost_source", "text")
    .addColumn("first_byte_ms", "bigint")
    .addColumn("total_ms", "bigint")
    .addColumn("bytes_in", "bigint", (column) => column.notNull())
    .addColumn("bytes_out", "bigint", (column) => column.notNull())
    .addColumn("started_at", "bigint", (column) => column.notNull())
    .addColumn("ended_at", "bigint")
    .addColumn("settle_attempts", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("settle_at", "bigint")
    .execute();
  // Small however long the ledger is: only what is not finished stands in it.
  await sql`create index requests_unfinished on requests (settle_at) where state in ('open', 'pending')`.execute(
    db,
  );
}
