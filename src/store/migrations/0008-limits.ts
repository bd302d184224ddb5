import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Groups of keys, limits of keys and groups, budgets, end users, and alerts. */
export const limits: Migration = {
  async up(db: Kysely<unknown>) {
    await createGroups(db);
    await addKeyLimits(db);
    await addRequestColumns(db);
    await createBudgets(db);
    await createEndUserRollups(db);
    await createAlerts(db);
  },
};

async function createGroups(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("key_groups")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull().unique())
    .addColumn("limits", "text", (column) => column.notNull())
    .addColumn("limits_changed_at", "bigint", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .execute();
}

/** The defaults are for keys that a gateway of an earlier version creates during an upgrade. */
async function addKeyLimits(db: Kysely<unknown>): Promise<void> {
  const alter = () => db.schema.alterTable("keys");
  await alter().addColumn("group_id", "text").execute();
  await alter()
    .addColumn("limits", "text", (column) => column.notNull().defaultTo("{}"))
    .execute();
  await alter()
    .addColumn("limits_changed_at", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await alter().addColumn("end_users", "text").execute();
  await alter().addColumn("unbounded_reservation_nanodollars", "bigint").execute();
  await alter()
    .addColumn("blocked_until", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.createIndex("keys_by_group").on("keys").column("group_id").execute();
}

async function addRequestColumns(db: Kysely<unknown>): Promise<void> {
  const alter = () => db.schema.alterTable("requests");
  await alter().addColumn("group_id", "text").execute();
  await alter().addColumn("end_user", "text").execute();
  await alter().addColumn("reserved_nanodollars", "bigint").execute();
  await alter().addColumn("reserved_in", "text").execute();
  await sql`create index requests_by_end_user on requests (end_user, id) where end_user is not null`.execute(
    db,
  );
}

async function createBudgets(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("budget_periods")
    .addColumn("scope", "text", (column) => column.notNull())
    .addColumn("period", "text", (column) => column.notNull())
    .addColumn("starts_at", "bigint", (column) => column.notNull())
    .addColumn("limit_nanodollars", "bigint", (column) => column.notNull())
    .addColumn("spent_nanodollars", "bigint", (column) => column.notNull())
    .addColumn("presumed_nanodollars", "bigint", (column) => column.notNull())
    .addColumn("leased_nanodollars", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("budget_periods_pk", ["scope", "period", "starts_at"] as never)
    .execute();
  await db.schema
    .createTable("budget_leases")
    .addColumn("instance", "text", (column) => column.notNull())
    .addColumn("scope", "text", (column) => column.notNull())
    .addColumn("period", "text", (column) => column.notNull())
    .addColumn("starts_at", "bigint", (column) => column.notNull())
    .addColumn("amount_nanodollars", "bigint", (column) => column.notNull())
    .addColumn("is_expired", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("budget_leases_pk", ["instance", "scope", "period", "starts_at"] as never)
    .execute();
}

async function createEndUserRollups(db: Kysely<unknown>): Promise<void> {
  let create = db.schema
    .createTable("rollups_end_users")
    .addColumn("day", "bigint", (column) => column.notNull());
  for (const name of ["key_id", "end_user"])
    create = create.addColumn(name, "text", (column) => column.notNull());
  for (const name of SUMS) create = create.addColumn(name, "bigint", (column) => column.notNull());
  await create
    .addPrimaryKeyConstraint("rollups_end_users_pk", ["day", "key_id", "end_user"] as never)
    .execute();
  await db.schema
    .createIndex("rollups_end_users_by_key")
    .on("rollups_end_users")
    .columns(["key_id", "end_user", "day"])
    .execute();
}

/** The sums of requests as of this version. */
const SUMS = [
  "requests",
  "unknown_requests",
  "prompt_tokens",
  "completion_tokens",
  "cached_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "prompt_audio_tokens",
  "cost_nanodollars",
  "byok_nanodollars",
] as const;

async function createAlerts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("alerts")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("type", "text", (column) => column.notNull())
    .addColumn("data", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("next_attempt_at", "bigint")
    .addColumn("delivered_at", "bigint")
    .execute();
  await db.schema.createIndex("alerts_by_next_attempt").on("alerts").column("next_attempt_at").execute();
  await db.schema.createIndex("alerts_by_creation").on("alerts").column("created_at").execute();
}
