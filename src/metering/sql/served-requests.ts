import { type RawBuilder, sql } from "kysely";
import type { RequestRow } from "../record.ts";

// Requests that upstream served, so that OpenRouter counts them. Both forms of the condition must be equal.

/** Whether upstream served a request. An operator states the cost 0 for a request that OpenRouter did not bill. */
export function wasServed({ generation_id, cost_source, cost_nanodollars }: RequestRow): boolean {
  if (generation_id !== null || cost_source === "stream" || cost_source === "body") return true;
  return cost_source === "operator" && (cost_nanodollars ?? 0) > 0;
}

/** {@link wasServed} as a condition of a query. */
export const WAS_SERVED: RawBuilder<boolean> = sql`(requests.generation_id is not null
  or requests.cost_source in ('stream', 'body')
  or (requests.cost_source = 'operator' and requests.cost_nanodollars > 0))`;
