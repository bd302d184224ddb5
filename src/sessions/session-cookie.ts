import type { IncomingHttpHeaders } from "node:http";
import { parseCookie, type SetCookie, stringifySetCookie } from "cookie";

const NAME = "sluice_session";
/** `SameSite=Strict` keeps the cookie out of cross-site requests, and `Path` out of requests to models. */
const ATTRIBUTES = { name: NAME, path: "/admin/v1", httpOnly: true, sameSite: "strict" } as const;

/** The parts of a request that decide whether the browser reached the gateway by https. */
interface ConnectionInfo {
  /** `https` if the connection is encrypted, or if a trusted proxy states so in `x-forwarded-proto`. */
  readonly protocol: string;
  readonly headers: IncomingHttpHeaders;
}

/** Returns the token in the session cookie of a request; undefined if the request has no such cookie. */
export function readSessionToken({ cookie }: IncomingHttpHeaders): string | undefined {
  return cookie === undefined ? undefined : parseCookie(cookie)[NAME];
}

/**
 * Formats the value of `Set-Cookie` for a new session.
 * @param lifetimeMs how long the browser keeps the cookie; rounded up to seconds.
 */
export function formatSessionCookie(token: string, lifetimeMs: number, request: ConnectionInfo): string {
  return format({ ...ATTRIBUTES, value: token, maxAge: Math.ceil(lifetimeMs / 1_000) }, request);
}

/** Formats the value of `Set-Cookie` that deletes the cookie. */
export function formatExpiredCookie(request: ConnectionInfo): string {
  return format({ ...ATTRIBUTES, value: "", maxAge: 0 }, request);
}

/** The scheme of `Origin` is that of the page, even behind a proxy that terminates TLS and sends no `x-forwarded-proto`. */
function format(cookie: SetCookie, { protocol, headers }: ConnectionInfo): string {
  const secure = protocol === "https" || /^https:/i.test(headers.origin ?? "");
  return stringifySetCookie({ ...cookie, secure });
}
