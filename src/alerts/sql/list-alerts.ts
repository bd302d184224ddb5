import type { Database } from "../../store/database.ts";
import type { AlertType } from "../alert.ts";
import type { AlertTable } from "./alert-table.ts";

/** The delivery states of an alert: see {@link StoredAlert.delivery}. */
export const DELIVERY_STATES = ["waiting", "delivered", "given_up", "logged"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** An alert as it is stored. Times are ms since 1970, by the database's clock. */
export interface StoredAlert {
  readonly id: string;
  readonly type: AlertType;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
  /**
   * `waiting`: the next delivery is due at `nextAttemptAt`. `delivered`: the webhook accepted the alert. `given_up`: every
   * delivery failed for a day. `logged`: no webhook is configured, so the alert is only in the log.
   */
  readonly delivery: DeliveryState;
  /** Number of failed deliveries. */
  readonly attempts: number;
  readonly nextAttemptAt: number | null;
  readonly deliveredAt: number | null;
}

/** Selects a page of alerts. */
export interface AlertFilter {
  readonly limit: number;
  /** Id of the last alert of the previous page. If that alert has been deleted meanwhile, the page is empty. */
  readonly before?: string | undefined;
}

/** Lists alerts, newest first. Alerts are deleted after 30 days. */
export async function listAlerts(
  { reader }: Pick<Database, "reader">,
  { limit, before }: AlertFilter,
): Promise<StoredAlert[]> {
  let query = reader
    .selectFrom("alerts")
    .selectAll()
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(limit);
  if (before !== undefined) {
    const last = reader.selectFrom("alerts as last").select("last.created_at").where("last.id", "=", before);
    // The first condition lets SQLite start at the right entry of the index; the second excludes what the page before had.
    query = query
      .where("created_at", "<=", last)
      .where((eb) => eb.or([eb("created_at", "<", last), eb("id", "<", before)]));
  }
  return (await query.execute()).map(toStoredAlert);
}

function toStoredAlert(row: AlertTable): StoredAlert {
  return {
    id: row.id,
    type: row.type,
    data: JSON.parse(row.data) as Readonly<Record<string, unknown>>,
    createdAt: row.created_at,
    delivery: findDeliveryState(row),
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at,
    deliveredAt: row.delivered_at,
  };
}

function findDeliveryState({ delivered_at, next_attempt_at, attempts }: AlertTable): DeliveryState {
  if (delivered_at !== null) return "delivered";
  if (next_attempt_at !== null) return "waiting";
  return attempts > 0 ? "given_up" : "logged";
}
