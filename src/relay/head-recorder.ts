import type { RequestContext } from "../http/request-context.ts";
import type { BeforeHead } from "../upstream/call.ts";
import type { UpstreamHead } from "../upstream/response-head.ts";

/**
 * Creates the callback that delays a response until the journal contains its generation id. With this id, the cost can be
 * looked up after a crash.
 * @returns undefined if the cost of the request is not recorded.
 */
export function createHeadRecorder(context: RequestContext): BeforeHead | undefined {
  const { meter } = context;
  if (!meter) return undefined;
  return (head, release) => {
    // The relay copies the head too. But if the client disconnects while the head is buffered, the relay may abort the
    // request, and then never receives the head.
    noteHead(context, head);
    context.stopwatch.resume();
    meter.recordHead(context, release);
  };
}

/** Copies status, generation id and provider from the head of a response to the context. */
export function noteHead(context: RequestContext, head: UpstreamHead): void {
  context.upstreamStatus = head.status;
  context.generationId = head.generationId;
  context.provider = head.provider;
}
