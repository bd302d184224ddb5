import type { UpstreamCall } from "../../src/upstream/call.ts";

/** A request to upstream that a test answers itself. @param parts what is not to do nothing. */
export function createIdleCall<Parts extends Partial<UpstreamCall>>(parts: Parts): UpstreamCall & Parts {
  const nothing = (): void => {};
  return { wasSent: true, abort: nothing, pause: nothing, resume: nothing, ...parts };
}
