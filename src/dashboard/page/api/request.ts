/** Query parameters. Parameters that are undefined or empty are left out. */
export type Params = Readonly<Record<string, string | number | boolean | undefined>>;

/** An error response of the admin API, or a request without a response. */
export class ApiError extends Error {
  /** The HTTP status; 0 without a response. */
  readonly status: number;
  /** The error code, such as `invalid_value`. */
  readonly code: string;
  /** The field or parameter that the error is about, such as `limits.budgets.day`; null if it is about none. */
  readonly param: string | null;
  /** Time in seconds after which the request may be sent again; undefined if the response does not state it. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, options: Partial<Omit<ApiError, "message">> & ErrorOptions = {}) {
    super(message, options);
    this.name = "ApiError";
    this.status = options.status ?? 0;
    this.code = options.code ?? "no_response";
    this.param = options.param ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Returns the URL of a path of the admin API, for a request or a download link. @param path such as `/requests`. */
export function toApiUrl(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    if (value !== undefined && value !== "") query.set(name, String(value));
  const text = query.toString();
  return `/admin/v1${path}${text === "" ? "" : `?${text}`}`;
}

interface RequestOptions {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly params?: Params;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/**
 * Sends a request to the admin API, authenticated by the session cookie.
 * @param path such as `/keys/key_1`. @returns the parsed body; undefined if the response has none.
 * @throws ApiError for an error response, and if there is no response; DOMException if the signal aborts the request.
 */
export async function requestApi<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const { method = "GET", params, body, signal } = options;
  const response = await fetch(toApiUrl(path, params), {
    method,
    ...(signal && { signal }),
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  }).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw new ApiError(
      "The gateway does not respond. Check that it is running and that this device is online.",
      {
        cause,
      },
    );
  });
  const text = await response.text();
  if (!response.ok) throw toApiError(response, text);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function toApiError(response: Response, text: string): ApiError {
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  const common = {
    status: response.status,
    ...(Number.isFinite(retryAfter) && { retryAfterSeconds: retryAfter }),
  };
  try {
    const { error } = JSON.parse(text) as { error: { message: string; code: string; param: string | null } };
    return new ApiError(error.message, { ...common, code: error.code, param: error.param });
  } catch {
    // A proxy in front of the gateway wrote this response.
    return new ApiError(`The response has status ${response.status} and is not from the gateway.`, common);
  }
}
