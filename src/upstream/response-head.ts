import type { RequestContext } from "../http/request-context.ts";
import type { BeforeHead, UpstreamHead } from "./call.ts";

const MAX_CHARS = 128;

/**
 * Makes what holds a response back until the journal has its head, so that its cost can be looked up after a crash.
 * @returns undefined for a request that is not accounted for.
 */
export function createHeadGate(context: RequestContext): BeforeHead | undefined {
  const { meter } = context;
  if (!meter) return undefined;
  return (head, release) => {
    // The client may leave while the head is held back, and the cost has to be looked up all the same.
    context.upstreamStatus = head.status;
    context.generationId = generationIdOf(head);
    context.stopwatch.resume();
    meter.recordHead(context, release);
  };
}

/** The id of the generation that an answer is of, if it is one. */
export function generationIdOf({ headers }: UpstreamHead): string | undefined {
  const id = headers["x-generation-id"];
  // Half of an id is that of nothing.
  return typeof id === "string" && id.length > MAX_CHARS ? undefined : shortText(id);
}

/** The provider that OpenRouter has chosen. */
export function providerOf({ headers }: UpstreamHead): string | undefined {
  return shortText(headers["x-provider-name"]);
}

function shortText(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_CHARS) : undefined;
}
