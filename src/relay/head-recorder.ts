import type { RequestContext } from "../http/request-context.ts";
import type { BeforeHead } from "../upstream/call.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";

/**
 * Makes the step before the head of a response: the response waits until the journal has its generation id, so that its cost
 * can be looked up after a crash.
 * @returns undefined for a request whose cost nothing records.
 */
export function createHeadRecorder(context: RequestContext): BeforeHead | undefined {
  const { meter } = context;
  if (!meter) return undefined;
  return (head, release) => {
    // The client may leave while the response is buffered, and the cost has to be looked up all the same.
    noteHead(context, head);
    context.stopwatch.resume();
    meter.recordHead(context, release);
  };
}

/** Writes into the context what the head of a response says of it. */
export function noteHead(context: RequestContext, head: UpstreamHead): void {
  context.upstreamStatus = head.status;
  context.generationId = head.generationId;
  context.provider = head.provider;
}
