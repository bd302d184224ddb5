import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";

/**
 * Headers that Node reads only the first of. A proxy in front may read the last, and then the two of them disagree on
 * who is calling, for whom, and what the body is (RFC 9110, section 5.3; RFC 9112, section 3.2).
 */
const ONCE: ReadonlySet<string> = new Set(["host", "authorization", "content-type"]);

/** Refuses a request that has one of these headers more than once. */
export function refuseRepeatedHeaders(app: FastifyInstance): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const repeated = firstRepeated(request.raw.rawHeaders);
    if (repeated === undefined) done();
    else if (repeated === "content-type")
      done(new GatewayError("unsupported_media_type", "Send one Content-Type header."));
    else done(new GatewayError("bad_request", `Send one ${repeated} header.`));
  });
}

function firstRepeated(rawHeaders: readonly string[]): string | undefined {
  const seen: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    // Most names are told apart by their length alone.
    if (name.length !== 4 && name.length !== 13 && name.length !== 12) continue;
    const lower = name.toLowerCase();
    if (!ONCE.has(lower)) continue;
    if (seen.includes(lower)) return lower;
    seen.push(lower);
  }
  return undefined;
}
