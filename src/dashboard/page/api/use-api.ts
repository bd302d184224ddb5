import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/preact-query";
import { type ApiError, type Params, requestApi } from "./request.ts";

interface ApiOptions {
  /** Whether to refresh the data every 5 s; default: true. */
  readonly isLive?: boolean;
  /** Whether to send the request at all; default: true. */
  readonly isEnabled?: boolean;
}

/**
 * Reads a path of the admin API and refreshes it every 5 s. While other parameters load, the previous data stays.
 * @param path such as `/keys`. @returns the state of the query: `data`, `error`, `isPending`, `refetch`.
 */
export function useApi<T>(
  path: string,
  params: Params = {},
  { isLive = true, isEnabled = true }: ApiOptions = {},
): UseQueryResult<T, ApiError> {
  return useQuery<T, ApiError>({
    queryKey: [path, params],
    queryFn: ({ signal }) => requestApi<T>(path, { params, signal }),
    placeholderData: keepPreviousData,
    enabled: isEnabled,
    ...(!isLive && { refetchInterval: false as const }),
  });
}
