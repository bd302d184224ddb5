import { useQueryClient } from "@tanstack/preact-query";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { REFRESH_MS, SESSION_KEY } from "../api/query-client.ts";
import { type DataState, summarizeQueries } from "../api/data-state.ts";

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** States when the data of the page was last updated, and whether it is refreshed. */
export function Freshness(): JSX.Element | null {
  const cache = useQueryClient().getQueryCache();
  const [{ updatedAt, isLive, isFailing }, setState] = useState<DataState>(summarizeQueries([]));
  useEffect(() => {
    const update = (): void => {
      const next = summarizeQueries(cache.getAll().filter(({ queryKey }) => queryKey[0] !== SESSION_KEY[0]));
      // Most events of the cache change nothing of this.
      setState((last) => (JSON.stringify(last) === JSON.stringify(next) ? last : next));
    };
    update();
    return cache.subscribe(update);
  }, [cache]);
  if (updatedAt === 0) return null;
  const time = clock.format(updatedAt);
  if (isFailing)
    return <strong class="stale">Not updated since {time}: the gateway does not respond.</strong>;
  return (
    <>
      Updated {time}
      {isLive && `, refreshed every ${REFRESH_MS / 1_000} s`}.
    </>
  );
}
