import { sql } from "kysely";
import type { Database } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import type { AlertTable } from "./alert-table.ts";

/** Time after which another replica may claim the same alerts. It is longer than the timeout of a delivery. */
const CLAIM_MS = 30_000;

/** Claims up to `limit` alerts that are due by the database's clock, so that no other replica sends them. */
export async function claimAlerts(database: Database, limit: number): Promise<AlertTable[]> {
  const { kysely, sqlite } = database;
  const due = kysely
    .selectFrom("alerts")
    .select("id")
    .where("next_attempt_at", "<=", databaseTime(database))
    .orderBy("next_attempt_at")
    .limit(limit);
  // In nearly every round no alert is due. A read then avoids the write lock of the database.
  if ((await due.execute()).length === 0) return [];
  return kysely
    .with("due", () => (sqlite ? due : due.forUpdate().skipLocked()))
    .updateTable("alerts")
    .set({ next_attempt_at: databaseTime(database, CLAIM_MS) })
    .where("id", "in", (eb) => eb.selectFrom("due").select("due.id"))
    .returningAll()
    .execute();
}

/** Marks an alert as delivered. */
export async function markDelivered(database: Database, id: string): Promise<void> {
  await database.kysely
    .updateTable("alerts")
    .set({ delivered_at: databaseTime(database), next_attempt_at: null })
    .where("id", "=", id)
    .execute();
}

/** Ends the deliveries of an alert that is only logged. */
export async function endDelivery(database: Database, id: string): Promise<void> {
  await database.kysely.updateTable("alerts").set({ next_attempt_at: null }).where("id", "=", id).execute();
}

/** How `postponeDelivery` changes an alert. Times are in ms. */
export interface DeliveryDelay {
  readonly waitMs: number;
  /** An alert that is older than this, by the database's clock, is given up. */
  readonly giveUpAfterMs: number;
}

/**
 * Releases a claimed alert for a later delivery, and counts the failed one.
 * @returns whether the alert will be sent again; false: it was too old.
 */
export async function postponeDelivery(
  database: Database,
  id: string,
  { waitMs, giveUpAfterMs }: DeliveryDelay,
): Promise<boolean> {
  const updated = await database.kysely
    .updateTable("alerts")
    .set((eb) => ({
      attempts: eb("attempts", "+", 1),
      next_attempt_at: eb
        .case()
        .when("created_at", ">", databaseTime(database, -giveUpAfterMs))
        .then(databaseTime(database, waitMs))
        .else(sql<null>`null`)
        .end(),
    }))
    .where("id", "=", id)
    .where("delivered_at", "is", null)
    .returning("next_attempt_at")
    .executeTakeFirst();
  return updated !== undefined && updated.next_attempt_at !== null;
}

/** Deletes alerts that were raised more than `keepMs` ago, by the database's clock, and are not waiting for a delivery. */
export async function deleteOldAlerts(database: Database, keepMs: number): Promise<void> {
  await database.kysely
    .deleteFrom("alerts")
    .where("created_at", "<", databaseTime(database, -keepMs))
    .where("next_attempt_at", "is", null)
    .execute();
}

/** Counts the alerts that wait for a delivery. */
export async function countWaitingAlerts({ reader }: Database): Promise<number> {
  const counted = await reader
    .selectFrom("alerts")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    // Every time is later than 1970. With this condition, and not with `is not null`, SQLite uses the index.
    .where("next_attempt_at", ">", 0)
    .executeTakeFirst();
  return counted?.count ?? 0;
}
