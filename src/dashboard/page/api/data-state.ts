import type { Query } from "@tanstack/preact-query";
import { ApiError } from "./request.ts";

/** The state of the data that a page shows. */
export interface DataState {
  /** When the data was last read, in ms since 1970; 0: not yet. */
  readonly updatedAt: number;
  /** Whether the data is refreshed by itself. */
  readonly isLive: boolean;
  /** Whether the last refresh got no response. */
  readonly isFailing: boolean;
}

/** Summarizes the queries of a page. If some are refreshed, the others, such as names for a filter, do not count. */
export function summarizeQueries(
  queries: readonly Pick<Query, "isActive" | "observers" | "state">[],
): DataState {
  const active = queries.filter((query) => query.isActive());
  const live = active.filter(({ observers }) =>
    observers.some(({ options: { refetchInterval: interval } }) => Boolean(interval)),
  );
  const shown = live.length > 0 ? live : active;
  return {
    updatedAt: Math.max(0, ...shown.map(({ state }) => state.dataUpdatedAt)),
    isLive: live.length > 0,
    isFailing: shown.some(({ state: { error } }) => error instanceof ApiError && error.status === 0),
  };
}
