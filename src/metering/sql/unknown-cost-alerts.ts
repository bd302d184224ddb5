import type { Transaction } from "kysely";
import { createUnknownCostAlert } from "../../alerts/alert.ts";
import { enqueueAlert } from "../../alerts/sql/enqueue-alert.ts";
import type { Database, Tables } from "../../store/database.ts";
import { type RequestRow, STATE } from "../record.ts";
import { floorToHour } from "./rollup-times.ts";

/**
 * Raises an alert for each key and hour that has a request whose cost became unknown. Must run in the transaction that changed
 * the rows, after all of its other writes, so that it holds the locks on the alerts only for a moment.
 * @param rows the rows that the transaction has changed.
 */
export async function alertUnknownCosts(
  database: Database,
  transaction: Transaction<Tables>,
  rows: readonly RequestRow[],
): Promise<void> {
  const unknown = rows.filter(({ state }) => state === STATE.unknown);
  if (unknown.length === 0) return;
  const alerts = unknown.map((row) => createUnknownCostAlert(row, floorToHour(row.started_at)));
  // One alert per id, sorted: replicas that store the same alerts in the same order cannot deadlock.
  const distinct = new Map(alerts.toReversed().map((alert) => [alert.id, alert]));
  const sorted = [...distinct.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  for (const alert of sorted) await enqueueAlert(database, transaction, alert);
}
