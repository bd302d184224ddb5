import type { UpstreamCall } from "../../src/upstream/call.ts";

/** Creates an upstream call whose methods do nothing. @param parts members that replace the default ones. */
export function createIdleCall<Parts extends Partial<UpstreamCall>>(parts: Parts): UpstreamCall & Parts {
  const nothing = (): void => {};
  return { wasSent: true, abort: nothing, pause: nothing, resume: nothing, ...parts };
}
