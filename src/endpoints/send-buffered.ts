import type { FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { addUpstreamHeaders, type HeaderMap } from "../http/headers.ts";
import type { BufferedResponse } from "../upstream/fetch-buffered.ts";
import { readResponseHead } from "../upstream/response-head.ts";

/**
 * Sends a complete response of OpenRouter to a request that calls no model, with its status and its bytes.
 * @param usesOperatorKey whether OPENROUTER_API_KEY was sent.
 * @throws GatewayError if OpenRouter rejected the operator's key, or if the response is not JSON.
 */
export function sendBuffered(
  request: FastifyRequest,
  reply: FastifyReply,
  response: BufferedResponse,
  usesOperatorKey: boolean,
): FastifyReply {
  const { status, headers, body } = response;
  const { context } = request;
  context.upstreamStatus = status;
  if (status === 401 && usesOperatorKey) throw new GatewayError("upstream_auth_failed");
  const isError = status >= 400 && status <= 599;
  if ((status !== 200 && !isError) || readResponseHead(status, headers).mediaType !== "application/json")
    throw createBadResponseError(response, isError);
  if (isError) context.outcome = "upstream_error";
  context.bytesOut = body.length;
  const all = addUpstreamHeaders(reply.getHeaders() as HeaderMap, headers);
  // Headers of the gateway's limits that must not be mixed with upstream's.
  for (const name of Object.keys(reply.getHeaders())) if (!(name in all)) reply.removeHeader(name);
  return reply.code(status).headers(all).send(body);
}

function createBadResponseError({ status, headers }: BufferedResponse, isError: boolean): GatewayError {
  const retryAfter = headers["retry-after"];
  return new GatewayError(
    "upstream_error",
    `OpenRouter responded with status ${status} and without a JSON document; nothing was billed.`,
    {
      ...(isError && { status }),
      ...(retryAfter !== undefined && { headers: { "retry-after": retryAfter } }),
    },
  );
}
