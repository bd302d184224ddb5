import type { JsonObject } from "../json-values.ts";

const BYTES_PER_TOKEN = 4;
/** Tokens of one image, file or recording in the body. Their bytes say little about their tokens. */
const TOKENS_PER_MEDIUM = 1_000;
const MEDIUM = Buffer.from(";base64,");
/** A medium ends with the string that it is in. */
const QUOTE = 0x22;
/** Fields of the endpoints that limit the length of a response. */
const OUTPUT_FIELDS = ["max_tokens", "max_completion_tokens", "max_output_tokens"] as const;

/**
 * Estimates the tokens of a request for limits on tokens per minute: a quarter of its bytes, and the maximum length of the
 * response, if the request states one. It is no bound: the actual number replaces it when the request ends.
 * @param body the bytes of the request. @param fields the parsed body.
 */
export function estimateTokens(body: Buffer, fields: JsonObject): number {
  let mediaBytes = 0;
  let media = 0;
  for (let at = body.indexOf(MEDIUM); at !== -1; at = body.indexOf(MEDIUM, at)) {
    const end = body.indexOf(QUOTE, at);
    if (end === -1) break;
    mediaBytes += end - at;
    media++;
    at = end;
  }
  const prompt = Math.ceil((body.length - mediaBytes) / BYTES_PER_TOKEN) + media * TOKENS_PER_MEDIUM;
  const longest = Math.max(0, ...OUTPUT_FIELDS.map((name) => readNumber(fields[name])));
  return Math.min(prompt + longest * Math.max(1, readNumber(fields["n"])), Number.MAX_SAFE_INTEGER);
}

function readNumber(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0;
}
