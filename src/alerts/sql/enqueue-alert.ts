import type { Kysely } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import type { Alert } from "../alert.ts";
import "./alert-table.ts";

/**
 * Stores an alert, unless an alert with this id is stored already. The gateways that use the database log and send it within
 * seconds after the commit; see `AlertDelivery`.
 * @param transaction the transaction of the event, so that the alert exists exactly if the event does.
 * @returns whether the alert is new.
 */
export async function enqueueAlert(
  database: Database,
  transaction: Kysely<Tables>,
  { id, type, data }: Alert,
): Promise<boolean> {
  const now = databaseTime(database);
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto("alerts")
    .values({
      id,
      type,
      data: JSON.stringify(data),
      created_at: now,
      attempts: 0,
      next_attempt_at: now,
      delivered_at: null,
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}
