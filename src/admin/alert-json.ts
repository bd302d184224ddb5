import { z } from "zod";
import { DELIVERY_STATES, type StoredAlert } from "../alerts/sql/list-alerts.ts";
import { formatOptionalTimestamp, formatTimestamp, timestampSchema } from "../presentation/timestamp.ts";

const alertSchema = z.object({
  id: z.string().describe("The same in every replica and in every delivery of the alert"),
  type: z
    .string()
    .describe("`budget_threshold`, `cost_above_reservation`, `unknown_cost` or `low_account_credit`"),
  data: z
    .record(z.string(), z.unknown())
    .describe("The event, with the fields of the webhook: amounts in US dollars as text, times in UTC"),
  created_at: timestampSchema.describe("When the event was stored, by the database's clock (ISO 8601, UTC)"),
  delivery: z
    .enum(DELIVERY_STATES)
    .describe(
      "waiting: a delivery is due; delivered: the webhook accepted it; given_up: every delivery failed for a day; logged: no webhook is configured, so the alert is only in the log",
    ),
  attempts: z.int().describe("Number of failed deliveries"),
  next_attempt_at: timestampSchema
    .nullable()
    .describe("Earliest time of the next delivery (ISO 8601, UTC); null if none is due"),
  delivered_at: timestampSchema
    .nullable()
    .describe("When the webhook accepted the alert (ISO 8601, UTC); null if it did not"),
});

/** The response of `GET /admin/v1/alerts`. */
export const alertsSchema = z
  .object({
    data: z.array(alertSchema).describe("Alerts of all replicas, newest first; kept for 30 days"),
    next_before: z.string().nullable().describe("The `before` of the next page; null in the last page"),
  })
  .describe("A page of alerts");

/** A page of alerts as JSON. */
export type AlertsJson = z.output<typeof alertsSchema>;
/** An alert as JSON. */
export type AlertJson = AlertsJson["data"][number];

/** Converts a stored alert to its JSON shape. */
export function toAlertJson(alert: StoredAlert): AlertJson {
  const { id, type, data, delivery, attempts } = alert;
  return {
    id,
    type,
    data: { ...data },
    created_at: formatTimestamp(alert.createdAt),
    delivery,
    attempts,
    next_attempt_at: formatOptionalTimestamp(alert.nextAttemptAt),
    delivered_at: formatOptionalTimestamp(alert.deliveredAt),
  };
}
