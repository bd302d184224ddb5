import type { Transaction } from "kysely";
import { type Alert, createCostAlert, createUnknownCostAlert } from "../../alerts/alert.ts";
import { enqueueAlert } from "../../alerts/sql/enqueue-alert.ts";
import type { Database, Tables } from "../../store/database.ts";
import { isAboveReservation, type RequestRow, STATE } from "../record.ts";
import { floorToHour } from "./rollup-times.ts";

/**
 * Raises an alert for each request that cost more than was reserved for it, and for each key and hour that has a request whose
 * cost became unknown. Must run in the transaction that changed the rows, after all of its other writes, so that it holds the
 * locks on the alerts only for a moment.
 * @param rows the rows that the transaction has changed.
 */
export async function alertCosts(
  database: Database,
  transaction: Transaction<Tables>,
  rows: readonly RequestRow[],
): Promise<void> {
  const alerts = rows.flatMap((row) => createAlert(row) ?? []);
  if (alerts.length === 0) return;
  // One alert per id, sorted: replicas that store the same alerts in the same order cannot deadlock.
  const distinct = new Map(alerts.toReversed().map((alert) => [alert.id, alert]));
  const sorted = [...distinct.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  for (const alert of sorted) await enqueueAlert(database, transaction, alert);
}

function createAlert(row: RequestRow): Alert | undefined {
  if (row.state === STATE.unknown) return createUnknownCostAlert(row, floorToHour(row.started_at));
  if (!isAboveReservation(row)) return undefined;
  const { reserved_nanodollars, cost_nanodollars } = row;
  return createCostAlert(row, {
    reservedNanodollars: reserved_nanodollars ?? 0,
    costNanodollars: cost_nanodollars ?? 0,
  });
}
