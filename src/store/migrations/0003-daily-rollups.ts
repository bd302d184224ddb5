import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Sums by the day beside those by the hour, so that a report of a month reads 24 times fewer. */
export const dailyRollups: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("rollups_daily")
      .addColumn("day", "bigint", (column) => column.notNull())
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
      .addPrimaryKeyConstraint("rollups_daily_pk", ["day", "key_id", "model", "provider"])
      .execute();
    await db.schema
      .createIndex("rollups_daily_by_key")
      .on("rollups_daily")
      .columns(["key_id", "day"])
      .execute();
    await sql`
      insert into rollups_daily
      select hour - hour % 86400000, key_id, model, provider, sum(requests), sum(unknown_requests), sum(prompt_tokens),
        sum(completion_tokens), sum(cached_tokens), sum(reasoning_tokens), sum(cost_nanodollars)
      from rollups group by hour - hour % 86400000, key_id, model, provider`.execute(db);
  },
};
