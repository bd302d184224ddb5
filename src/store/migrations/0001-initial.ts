import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Creates the tables of keys, audit log, ledger, rollups and instances. */
export const initial: Migration = {
  async up(db: Kysely<unknown>) {
    await createKeys(db);
    await createAudit(db);
    await createRequests(db);
    await createRollups(db, "rollups", "hour");
    await createRollups(db, "rollups_daily", "day");
    await createProcesses(db);
  },
};

async function createKeys(db: Kysely<unknown>): Promise<void> {
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
  // The name of a revoked key can be reused.
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
}

async function createAudit(db: Kysely<unknown>): Promise<void> {
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
}

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
    .addColumn("cache_write_tokens", "bigint")
    .addColumn("is_byok", "integer")
    .addColumn("upstream_inference_nanodollars", "bigint")
    .execute();
  await db.schema.createIndex("requests_by_key").on("requests").columns(["key_id", "id"]).execute();
  // These partial indexes stay small, because few rows are not settled. A row that is inserted as settled updates neither of
  // them.
  await sql`create index requests_unfinished on requests (settle_at) where state in ('open', 'pending')`.execute(
    db,
  );
  await sql`create index requests_unsettled on requests (state, id) where state in ('open', 'pending', 'unknown')`.execute(
    db,
  );
}

/** Creates a table of hourly or daily sums. With daily sums, a report on a month reads 24 times fewer rows. */
async function createRollups(db: Kysely<unknown>, table: string, time: string): Promise<void> {
  await db.schema
    .createTable(table)
    .addColumn(time, "bigint", (column) => column.notNull())
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
    .addColumn("cache_write_tokens", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("byok_nanodollars", "bigint", (column) => column.notNull().defaultTo(0))
    .addPrimaryKeyConstraint(`${table}_pk`, [time, "key_id", "model", "provider"])
    .execute();
  await db.schema.createIndex(`${table}_by_key`).on(table).columns(["key_id", time]).execute();
}

async function createProcesses(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("instances")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("started_at", "bigint", (column) => column.notNull())
    .addColumn("seen_at", "bigint", (column) => column.notNull())
    .execute();
  // The last trusted time of the ledger's retention: see `retention-clock.ts`.
  await db.schema
    .createTable("retention_clock")
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("trusted_at", "bigint", (column) => column.notNull())
    .execute();
}
