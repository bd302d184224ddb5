import * as fc from "fast-check";
import { COMPLETION_FORMAT, MESSAGES_FORMAT, RESPONSES_FORMAT } from "../../src/relay/response-format.ts";
import { inspectResponse } from "./inspect-response.ts";
import type { ApiName, Stated } from "./reference-response.ts";

const FORMATS = { completions: COMPLETION_FORMAT, responses: RESPONSES_FORMAT, messages: MESSAGES_FORMAT };
const NO_ID_HEADER = { "transfer-encoding": "chunked" };

/** Reads a response that arrives in these pieces as the gateway does. */
function read(contentType: string, pieces: readonly Buffer[], api: ApiName): Stated {
  const options = { format: FORMATS[api], headers: NO_ID_HEADER, ended: contentType === "application/json" };
  const found = inspectResponse({ contentType, status: 200 }, pieces, options);
  return {
    cost: found.usage?.costUsd,
    promptTokens: found.usage?.tokens["prompt_tokens"],
    completionTokens: found.usage?.tokens["completion_tokens"],
    id: found.generationId,
    isComplete: found.isResponseComplete,
    hasError: found.hasError,
  };
}

export const readStream = (pieces: readonly Buffer[], api: ApiName): Stated =>
  read("text/event-stream", pieces, api);
export const readDocument = (pieces: readonly Buffer[], api: ApiName): Stated =>
  read("application/json", pieces, api);

/** Sizes of the chunks of a response, repeated. */
export const SIZES: fc.Arbitrary<number[]> = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5_000 }), fc.constant(65_536)),
  { minLength: 1, maxLength: 12 },
);
