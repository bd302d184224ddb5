import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { SESSION_KEY } from "../api/query-client.ts";
import { ApiError } from "../api/request.ts";

interface Action {
  readonly isPending: boolean;
  /** Why the last run failed. */
  readonly error: ApiError | undefined;
  /** Runs a change, then refreshes what the page shows. */
  readonly run: (change: () => Promise<void>) => void;
}

/**
 * Runs changes through the admin API. TanStack's mutations are not used, because their cache keeps results, and so secrets,
 * after the dialog has closed.
 */
export function useAction(): Action {
  const client = useQueryClient();
  const [isPending, setIsPending] = useState(false);
  const [error, setError] = useState<ApiError>();
  const run = async (change: () => Promise<void>): Promise<void> => {
    setIsPending(true);
    setError(undefined);
    try {
      await change();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401) client.setQueryData(SESSION_KEY, null);
      setError(failure);
    } finally {
      setIsPending(false);
      await client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] });
    }
  };
  return { isPending, error, run: (change) => void run(change) };
}
