import { parseSetCookie, type SetCookie } from "cookie";
import type { AdminResponse } from "./keyed-gateway.ts";
import { sendRequest } from "./send-request.ts";

/** Headers of a request that a page of the gateway sends in a current browser. */
export const OWN_PAGE = { "sec-fetch-site": "same-origin" } as const;

type Headers = Readonly<Record<string, string | undefined>>;

/** A request to the admin API. `path` is below `/admin/v1`. */
interface PageRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Headers;
  readonly body?: unknown;
}

interface SessionResponse extends AdminResponse {
  readonly headers: Readonly<Record<string, string>>;
  /** The cookie that the response sets; undefined if it sets none. */
  readonly cookie: SetCookie | undefined;
}

/** Sends a request to the admin API without a key. @param headers are added to those of a page of the gateway. */
export async function callAsPage(
  port: number,
  { method = "GET", path = "/session", headers = {}, body }: PageRequest = {},
): Promise<SessionResponse> {
  const response = await sendRequest(port, {
    method,
    path: `/admin/v1${path}`,
    headers: { authorization: undefined, ...OWN_PAGE, ...headers },
    body: body === undefined ? "" : JSON.stringify(body),
  });
  const text = response.body.toString();
  const set = response.headers["set-cookie"];
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : JSON.parse(text),
    cookie: set === undefined ? undefined : parseSetCookie(set),
  };
}

/** Sends a sign-in. @returns the response and the value of the `cookie` header for later requests. */
export async function signIn(
  port: number,
  key: string,
  headers: Headers = {},
): Promise<SessionResponse & { readonly cookieHeader: string }> {
  const response = await callAsPage(port, { method: "POST", headers, body: { key } });
  return { ...response, cookieHeader: `sluice_session=${response.cookie?.value ?? ""}` };
}
