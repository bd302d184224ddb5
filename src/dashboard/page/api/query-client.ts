import { MutationCache, QueryCache, QueryClient } from "@tanstack/preact-query";
import { ApiError } from "./request.ts";

/** Time between two refreshes of what is shown. Pages in a hidden tab are not refreshed. */
export const REFRESH_MS = 5_000;

/** The key of the query of the session. */
export const SESSION_KEY = ["session"];
/** The key under which the cache notes that a session ended without a sign-out. */
export const SESSION_ENDED_KEY = ["session-ended"];

/** Creates the cache of responses. A response 401 ends the session, and the page shows the sign-in form. */
export function createQueryClient(): QueryClient {
  const endSession = (error: Error): void => {
    if (!(error instanceof ApiError && error.status === 401)) return;
    if (client.getQueryData(SESSION_KEY)) client.setQueryData(SESSION_ENDED_KEY, true);
    client.setQueryData(SESSION_KEY, null);
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError: endSession }),
    mutationCache: new MutationCache({ onError: endSession }),
    defaultOptions: {
      queries: {
        refetchInterval: REFRESH_MS,
        // An error response will not become a success within a second; the next refresh asks again.
        retry: (count, error) => count < 2 && error instanceof ApiError && error.status === 0,
        staleTime: 1_000,
        gcTime: 60_000,
      },
    },
  });
  return client;
}
