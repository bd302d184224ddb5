import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/preact-query";
import { SESSION_KEY } from "./query-client.ts";
import { ApiError, requestApi } from "./request.ts";

/** The session of this browser. */
export interface Session {
  readonly key_id: string;
  readonly key_name: string;
  /** ISO 8601. */
  readonly expires_at: string;
}

/** Reads the session. `data` is null if nobody is signed in. */
export function useSession(): UseQueryResult<Session | null, ApiError> {
  return useQuery<Session | null, ApiError>({
    queryKey: SESSION_KEY,
    queryFn: ({ signal }) =>
      requestApi<Session>("/session", { signal }).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
  });
}

/** Functions that begin and end the session. */
export function useSessionActions(): {
  /** Exchanges an admin key for a session. @throws ApiError if the key is refused. */
  readonly signIn: (key: string) => Promise<void>;
  /** Ends the session and forgets everything that was loaded. */
  readonly signOut: () => Promise<void>;
} {
  const client = useQueryClient();
  return {
    signIn: async (key) => {
      const session = await requestApi<Session>("/session", { method: "POST", body: { key } });
      client.setQueryData(SESSION_KEY, session);
    },
    signOut: async () => {
      await requestApi("/session", { method: "DELETE" });
      client.setQueryData(SESSION_KEY, null);
      // The query of the session stays, because the page observes it.
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] });
    },
  };
}
