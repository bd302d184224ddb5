import type { FastifyReply, FastifyRequest } from "fastify";
import { RequestContext } from "../../src/http/request-context.ts";
import type { StartEntry } from "../../src/metering/journal/format.ts";

/** Creates the start entry of a request. */
export function createStartEntry(id: string, fields: Partial<StartEntry> = {}): StartEntry {
  return {
    id,
    request_id: `r-${id}`,
    key_id: "key_1",
    key_name: "team",
    endpoint: "chat/completions",
    session: null,
    group_id: null,
    end_user: null,
    reserved_nanodollars: null,
    reserved_in: null,
    requested_model: "a/b",
    forwarded_model: "a/b",
    stream: 0,
    bytes_in: 10,
    started_at: 1_790_000_000_000,
    ...fields,
  };
}

/** Creates a request context without a server. @param id the value of `x-request-id`. */
export function createRequestContext(id = "r-1"): RequestContext {
  const request = { id, method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
  return new RequestContext(request, { raw: {} } as FastifyReply, () => {});
}

/** Creates the context of a request whose response was complete and stated its cost. */
export function createEndedContext(): RequestContext {
  const context = createRequestContext();
  const tokens = { prompt_tokens: 1, completion_tokens: 2, cached_tokens: 0, reasoning_tokens: 0 };
  const generationId = "gen-1";
  const response = { wasSent: true, upstreamStatus: 200, isResponseComplete: true, generationId };
  return Object.assign(context, response, {
    status: 200,
    outcome: "complete",
    usage: { tokens, costUsd: 0.000_000_005 },
    endedAt: performance.now(),
  });
}
