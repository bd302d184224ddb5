import type { ArrivedRequest } from "./harness.ts";

/** Searches an upstream request for a secret of the client. @returns the part that contains it; undefined if none does. */
export function findSecret({ exchange, body }: ArrivedRequest, secret: string): string | undefined {
  const { rawHeaders, url = "" } = exchange.req;
  const at = rawHeaders.findIndex((text) => text.includes(secret));
  if (at >= 0) return `the header ${rawHeaders[at - 1] ?? ""}`;
  if (url.includes(secret)) return "the URL";
  return body.includes(secret) ? "the body" : undefined;
}
