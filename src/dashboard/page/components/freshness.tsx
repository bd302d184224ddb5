import { useQueryClient } from "@tanstack/preact-query";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { SESSION_KEY } from "../api/query-client.ts";

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** States when the data of the page was last updated. */
export function Freshness(): JSX.Element | null {
  const cache = useQueryClient().getQueryCache();
  const [updatedAt, setUpdatedAt] = useState(0);
  useEffect(() => {
    const update = (): void => {
      const shown = cache
        .getAll()
        .filter((query) => query.isActive() && query.queryKey[0] !== SESSION_KEY[0]);
      setUpdatedAt(Math.max(0, ...shown.map(({ state }) => state.dataUpdatedAt)));
    };
    update();
    return cache.subscribe(update);
  }, [cache]);
  return updatedAt === 0 ? null : <>Updated {clock.format(updatedAt)}, refreshed every 5 s.</>;
}
