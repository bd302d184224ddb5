import type { AlertType } from "../alert.ts";

/** Kysely's type of the table of alerts. Times are ms since 1970, by the database's clock. */
export interface AlertTable {
  id: string;
  type: AlertType;
  /** JSON object; see `AlertData`. */
  data: string;
  created_at: number;
  /** Number of failed deliveries. */
  attempts: number;
  /** Earliest time of the next delivery; null: none is due. A replica claims an alert by moving this time ahead. */
  next_attempt_at: number | null;
  delivered_at: number | null;
}

declare module "../../store/database.ts" {
  interface Tables {
    alerts: AlertTable;
  }
}
