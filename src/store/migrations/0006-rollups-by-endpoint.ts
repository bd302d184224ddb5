import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Columns of the sums that do not change. */
const KEPT = [
  "key_id",
  "model",
  "provider",
  "requests",
  "unknown_requests",
  "prompt_tokens",
  "completion_tokens",
  "cached_tokens",
  "reasoning_tokens",
  "cost_nanodollars",
  "cache_write_tokens",
  "byok_nanodollars",
  "prompt_audio_tokens",
] as const;
const GROUP: readonly string[] = ["key_id", "model", "provider"];

/** Adds the endpoint to the groups of the hourly and daily sums. Earlier requests were chat completions. */
export const rollupsByEndpoint: Migration = {
  async up(db: Kysely<unknown>) {
    await rebuildRollups(db, "rollups", "hour");
    await rebuildRollups(db, "rollups_daily", "day");
  },
};

/** SQLite cannot change the primary key of a table, so a new table receives the rows of the old one. */
async function rebuildRollups(db: Kysely<unknown>, table: string, time: string): Promise<void> {
  const old = `${table}_before_endpoints`;
  await db.schema.dropIndex(`${table}_by_key`).execute();
  await db.schema.alterTable(table).renameTo(old).execute();
  let create = db.schema.createTable(table).addColumn(time, "bigint", (column) => column.notNull());
  for (const name of KEPT)
    create = create.addColumn(name, GROUP.includes(name) ? "text" : "bigint", (column) => column.notNull());
  await create
    .addColumn("endpoint", "text", (column) => column.notNull())
    // In PostgreSQL, the old table still has the constraint `<table>_pk`.
    .addPrimaryKeyConstraint(`${table}_by_time`, [time, ...GROUP, "endpoint"] as never)
    .execute();
  const columns = sql.raw([time, ...KEPT].join(", "));
  await sql`insert into ${sql.table(table)} (${columns}, endpoint)
    select ${columns}, 'chat/completions' from ${sql.table(old)}`.execute(db);
  await db.schema.dropTable(old).execute();
  await db.schema.createIndex(`${table}_by_key`).on(table).columns(["key_id", time]).execute();
}
