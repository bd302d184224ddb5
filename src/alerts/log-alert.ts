import type { Logger } from "pino";
import type { Alert } from "./alert.ts";

/** Logs one line for an alert, with its id and its data, but without the name of an end user. */
export function logAlert(logger: Logger, { id, type, data }: Alert): void {
  const fields = { alert: id, ...withoutEndUser(data) };
  switch (type) {
    case "budget_threshold":
      logger.warn(fields, "alert: budget threshold reached");
      break;
    case "cost_above_reservation":
      logger.error(fields, "alert: cost above reservation");
      break;
    case "unknown_cost":
      logger.error(fields, "alert: unknown cost");
      break;
    case "low_account_credit":
      logger.warn(fields, "alert: account credit is low");
      break;
  }
}

/** The names of end users can be e-mail addresses, and the log of the gateway has no personal data. */
function withoutEndUser(data: Alert["data"]): object {
  if (!("scope" in data) || data.scope !== "end_user") return data;
  const { scope_id: _id, scope_name: _name, ...rest } = data;
  return rest;
}
