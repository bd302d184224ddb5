import { type Kysely, sql } from "kysely";
import { expireLeases } from "../../budgets/sql/lease-expiry.ts";
import type { Database, Tables } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import { INTERRUPTED, type RequestRow, STATE, UNKNOWN_COST } from "../record.ts";
import { changeBudgets } from "./budget-changes.ts";
import { addToRollups } from "./rollups.ts";
import { IS_UNFINISHED } from "./state-conditions.ts";
import { alertCosts } from "./cost-alerts.ts";

/** A gateway process, from its start to its last heartbeat. Times are ms since 1970 by the database's clock. */
interface InstanceTable {
  id: string;
  started_at: number;
  seen_at: number;
}

declare module "../../store/database.ts" {
  interface Tables {
    instances: InstanceTable;
  }
}

/** Records that this process is alive. @returns the time by the database's clock, in ms since 1970. */
export async function heartbeat(database: Database, id: string): Promise<number> {
  const now = databaseTime(database);
  const { seen_at } = await database.kysely
    .insertInto("instances")
    .values({ id, started_at: now, seen_at: now })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ seen_at: now }))
    .returning("seen_at")
    .executeTakeFirstOrThrow();
  return seen_at;
}

/** Removes a process that shuts down from the list of instances. */
export async function deregister(database: Database, id: string): Promise<void> {
  await database.kysely.deleteFrom("instances").where("id", "=", id).execute();
}

/** Whether a process has records of requests that are still open in the database. */
export async function hasOpenRequests(kysely: Kysely<Tables>, instance: string): Promise<boolean> {
  const open = await kysely
    .selectFrom("requests")
    .select("id")
    .where(IS_UNFINISHED)
    .where("state", "=", STATE.open)
    .where("instance", "=", instance)
    .limit(1)
    .executeTakeFirst();
  return open !== undefined;
}

/** Counts the processes with a heartbeat within a time. */
export async function countInstances(
  database: Pick<Database, "kysely" | "sqlite">,
  aliveMs: number,
): Promise<number> {
  const { count } = await database.kysely
    .selectFrom("instances")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("seen_at", ">=", databaseTime(database, -aliveMs))
    .executeTakeFirstOrThrow();
  return count;
}

/** A process in the list of instances. Times are ms since 1970 by the database's clock. */
export interface ListedInstance {
  readonly id: string;
  readonly startedAt: number;
  readonly seenAt: number;
  /** Time since the last heartbeat. */
  readonly silentMs: number;
}

/** Maximum number of listed processes. */
const LISTED_MAX = 200;

/** Lists the processes that use the database, the most recent heartbeat first; at most 200. */
export async function listInstances(
  database: Pick<Database, "reader" | "sqlite">,
): Promise<ListedInstance[]> {
  const rows = await database.reader
    .selectFrom("instances")
    .select(["id", "started_at", "seen_at", databaseTime(database).as("now")])
    .orderBy("seen_at", "desc")
    .orderBy("id")
    .limit(LISTED_MAX)
    .execute();
  return rows.map(({ id, started_at, seen_at, now }) => ({
    id,
    startedAt: started_at,
    seenAt: seen_at,
    silentMs: Math.max(0, now - seen_at),
  }));
}

/** Lists the processes with leases that have no heartbeat within a time. */
async function listDead(
  database: Database,
  transaction: Kysely<Tables>,
  deadAfterMs: number,
): Promise<string[]> {
  const rows = await transaction
    .selectFrom("budget_leases")
    .select("instance")
    .distinct()
    .where("is_expired", "=", 0)
    .where("instance", "not in", (eb) =>
      eb
        .selectFrom("instances")
        .select("instances.id")
        .where("seen_at", ">=", databaseTime(database, -deadAfterMs)),
    )
    .execute();
  return rows.map(({ instance }) => instance);
}

/** Limits for the time since the last heartbeat of a process, by the database's clock. */
export interface SilenceLimits {
  /** The process counts as dead after this time. */
  readonly deadAfterMs: number;
  /** The open rows of the process without a generation id are given up after this time. */
  readonly lostAfterMs: number;
}

/**
 * Adopts the open rows of dead processes. Rows with a generation id become pending. Rows without one are given up as unknown
 * after `lostAfterMs`, and then their processes are also removed from the list of instances.
 * @returns the rows that were given up.
 */
export async function adoptOrphans(
  database: Database,
  { deadAfterMs, lostAfterMs }: SilenceLimits,
): Promise<RequestRow[]> {
  const now = databaseTime(database);
  const lostBefore = databaseTime(database, -lostAfterMs);
  const lost = await database.kysely.transaction().execute(async (transaction) => {
    const updateOrphans = (silentMs: number) =>
      transaction
        .updateTable("requests")
        .where(IS_UNFINISHED)
        .where("state", "=", STATE.open)
        .where("instance", "not in", (eb) =>
          eb
            .selectFrom("instances")
            .select("instances.id")
            .where("seen_at", ">=", databaseTime(database, -silentMs)),
        );
    const adopted = await updateOrphans(deadAfterMs)
      .set({ state: STATE.pending, outcome: INTERRUPTED, ended_at: now, settle_at: now })
      // An expression, because for a plain "is not null" SQLite reads the index of all generations.
      .where(sql<string>`coalesce(generation_id, '')`, "!=", "")
      .returningAll()
      .execute();
    const givenUp = await updateOrphans(Math.max(deadAfterMs, lostAfterMs))
      .set({ ...UNKNOWN_COST, outcome: INTERRUPTED, ended_at: now })
      .where("generation_id", "is", null)
      // A start time in the future comes from a clock that was ahead, so the age of the row is not known.
      .where((eb) => eb.or([eb("started_at", "<", lostBefore), eb("started_at", ">", now)]))
      .returningAll()
      .execute();
    await addToRollups(database, transaction, givenUp);
    const orphans = [...adopted, ...givenUp].map((row) => ({ row, before: STATE.open }));
    await changeBudgets(database, transaction, orphans);
    await alertCosts(database, transaction, givenUp);
    return givenUp;
  });
  // Locks rows of budgets again. In the same transaction, this could cause a deadlock with a process that draws money.
  await database.kysely.transaction().execute(async (transaction) => {
    await expireLeases(database, transaction, await listDead(database, transaction, deadAfterMs));
    // If such a process is alive after all, its next heartbeat registers it again.
    await transaction.deleteFrom("instances").where("seen_at", "<", lostBefore).execute();
  });
  return lost;
}
