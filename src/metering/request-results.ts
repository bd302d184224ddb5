import { type RawBuilder, sql } from "kysely";

// The result of a request for its client: successful, failed or cancelled; none while the request is in flight. Both forms of
// each condition must be equal.

/** The columns of a record that state its result. */
interface Result {
  readonly outcome: string | null;
  readonly status: number;
}

/** Statuses from here on are errors. */
const ERROR_STATUS_MIN = 400;

/** Whether the client disconnected before the response was complete. */
export function isCancelled({ outcome }: Result): boolean {
  return outcome === "client_gone";
}

/** Whether the client got a complete response that is no error. */
export function isSuccessful({ outcome, status }: Result): boolean {
  return outcome === "complete" && status < ERROR_STATUS_MIN;
}

/** Whether the client did not get a complete, successful response, and did not cause that by disconnecting. */
export function isFailed(row: Result): boolean {
  return row.outcome !== null && !isCancelled(row) && !isSuccessful(row);
}

/** {@link isCancelled} as a condition of a query; null while the request is in flight. */
export const IS_CANCELLED: RawBuilder<boolean> = sql.raw("(requests.outcome = 'client_gone')");

/** {@link isSuccessful} as a condition of a query; null while the request is in flight. */
export const IS_SUCCESSFUL: RawBuilder<boolean> = sql.raw(
  `(requests.outcome = 'complete' and requests.status < ${ERROR_STATUS_MIN})`,
);

/** {@link isFailed} as a condition of a query; null while the request is in flight. */
export const IS_FAILED: RawBuilder<boolean> = sql.raw(
  `(requests.outcome <> 'client_gone' and (requests.outcome <> 'complete' or requests.status >= ${ERROR_STATUS_MIN}))`,
);
