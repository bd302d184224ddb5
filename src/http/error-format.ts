import type { IncomingHttpHeaders } from "node:http";
import type { GatewayError } from "../errors.ts";
import type { JsonObject } from "../json-values.ts";

/** How an API presents the gateway's own errors. Upstream's errors are relayed unchanged. */
export interface ErrorFormat {
  /** Returns the status of an error response. @param headers the headers of the request. */
  chooseStatus(error: GatewayError, headers: IncomingHttpHeaders): number;
  /** Formats the JSON body of an error response. @param request its id, and its headers. */
  formatBody(error: GatewayError, request: FailedRequest): string;
  /** Formats the SSE events that state why a stream is aborted. None of them reports a complete response. */
  formatEvents(error: GatewayError, requestId: string): string;
}

/** The properties of a request that the format of its error can depend on. */
export interface FailedRequest {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
}

/** The format of OpenAI's Chat Completions API, with OpenRouter's format of errors within a stream. */
export const OPENAI_ERRORS: ErrorFormat = {
  chooseStatus: (error) => error.status,
  formatBody: (error) => error.toJson(),
  formatEvents: (error) => `data: ${error.toEventJson()}\n\n`,
};

/**
 * Codex repeats a request five times after these statuses. It shows the message of a 400 at once, and reports a 429 with the
 * code `insufficient_quota` as "Quota exceeded" without repeating the request.
 */
const CODEX_STATUSES: ReadonlyMap<number, number> = new Map([
  [401, 400],
  [402, 429],
  [403, 400],
  [404, 400],
  [413, 400],
]);

/**
 * The format of OpenAI's Responses API. An aborted stream ends with two events, because OpenAI's SDKs raise an error at `error`,
 * and Codex reads only `response.failed`. `error` comes first, because the SDKs' helpers reject a `response.failed` without the
 * id of the response, and hide the reason. The SDKs for Python and Go recognize the event by its member `error`.
 */
export const RESPONSES_ERRORS: ErrorFormat = {
  chooseStatus: ({ status }, headers) => (isCodex(headers) && CODEX_STATUSES.get(status)) || status,
  formatBody: (error, { headers }) =>
    error.status === 402 && isCodex(headers) ? error.toJson("insufficient_quota") : error.toJson(),
  formatEvents: ({ message, type, param, code }) =>
    formatEvent({
      type: "error",
      sequence_number: 0,
      code,
      message,
      param,
      error: { type, code, message, param },
    }) +
    formatEvent({
      type: "response.failed",
      sequence_number: 0,
      response: {
        object: "response",
        status: "failed",
        error: { code: "server_error", message },
        output: [],
      },
    }),
};

/** Anthropic's types of errors by status. Source: https://platform.claude.com/docs/en/api/errors */
const ANTHROPIC_TYPES: ReadonlyMap<number, string> = new Map([
  [401, "authentication_error"],
  [402, "billing_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [413, "request_too_large"],
  [429, "rate_limit_error"],
  [503, "overloaded_error"],
  [504, "timeout_error"],
]);

/** The format of Anthropic's Messages API. */
export const ANTHROPIC_ERRORS: ErrorFormat = {
  chooseStatus: (error) => error.status,
  formatBody: (error, { id }) => JSON.stringify(toAnthropicError(error, id)),
  formatEvents: (error, requestId) => formatEvent(toAnthropicError(error, requestId)),
};

function toAnthropicError({ status, message, param, code }: GatewayError, requestId: string) {
  const fallback = status < 500 ? "invalid_request_error" : "api_error";
  const type = ANTHROPIC_TYPES.get(status) ?? fallback;
  return { type: "error", error: { type, message, param, code }, request_id: requestId } as const;
}

function formatEvent(event: JsonObject & { readonly type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function isCodex({ originator }: IncomingHttpHeaders): boolean {
  return typeof originator === "string" && originator.startsWith("codex");
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** The format of the errors of this route; OpenAI's Chat Completions API by default. */
    errorFormat?: ErrorFormat;
  }
}
