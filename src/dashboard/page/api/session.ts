import { type QueryClient, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/preact-query";
import { SESSION_ENDED_KEY, SESSION_KEY } from "./query-client.ts";
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
  /** Ends the session and forgets everything that was loaded. @throws ApiError if the session could not be ended. */
  readonly signOut: () => Promise<void>;
} {
  const client = useQueryClient();
  return {
    signIn: async (key) => {
      const session = await requestApi<Session>("/session", { method: "POST", body: { key } });
      replaceSession(client, session);
    },
    signOut: async () => {
      await requestApi("/session", { method: "DELETE" }).catch((error: unknown) => {
        // The session has ended already.
        if (!(error instanceof ApiError && error.status === 401)) throw error;
      });
      replaceSession(client, null);
    },
  };
}

/** Whether the last session of this page ended without a sign-out. */
export function hasSessionEnded(client: QueryClient): boolean {
  return client.getQueryData(SESSION_ENDED_KEY) === true;
}

/** Sets the session, and forgets everything that was loaded with the previous one. */
function replaceSession(client: QueryClient, session: Session | null): void {
  client.setQueryData(SESSION_KEY, session);
  // The query of the session stays, because the page observes it.
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] });
}
