import type { ResponseDecoder } from "./response-decoder.ts";
import { buildBody, type Endpoint } from "./endpoints.ts";
import type { Harness } from "./harness.ts";

/** Statuses of a server that does not have an endpoint. */
const MISSING: ReadonlySet<number> = new Set([404, 405, 501]);
/** Matches the reason in a 400 of a gateway that knows an endpoint but does not have it. */
const UNSUPPORTED = /\bunsupported|not supported|does not support|unknown (?:url|endpoint|path|route)/i;

/** Describes a response that states that an endpoint is missing. @returns undefined for any other response. */
export function describeMissing({
  status,
  body,
}: Pick<ResponseDecoder, "status" | "body">): string | undefined {
  const isMissing = MISSING.has(status) || (status === 400 && UNSUPPORTED.test(body.toString()));
  return isMissing ? `status ${status}: ${JSON.stringify(body.toString("utf8", 0, 160))}` : undefined;
}

/** Sends a request to an endpoint. @returns the gateway's response if it does not have the endpoint; undefined if it has. */
export async function findMissing(harness: Harness, endpoint: Endpoint): Promise<string | undefined> {
  const call = harness.send({ path: endpoint.path, body: buildBody(endpoint, harness.marker) });
  try {
    await harness.waitForUpstream(call);
    return undefined;
  } catch {
    // A gateway that does not respond at all has to fail the checks.
    return call.ending === "whole" ? describeMissing(call.response) : undefined;
  } finally {
    harness.close();
  }
}
