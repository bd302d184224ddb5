import { mayHaveStarted } from "./possible-charge.ts";

/** Errors after file parsing carry the parsed file in `metadata`, megabytes of it. Parsing this many takes about 10 ms. */
export const REFUSAL_MAX_BYTES = 8_388_608;

/** Fields of a completion. A document with one of them describes a generation, whatever error it reports beside it. */
const COMPLETION_FIELDS = ["id", "choices", "usage"] as const;

/**
 * Decides whether a response proves that OpenRouter refused the request and charged nothing: a complete JSON document in
 * its error shape, `{"error":{"message":string,"code"?:...},...}`, that reports neither a generation nor a timeout.
 * https://openrouter.ai/docs/api/reference/errors-and-debugging
 * @param contentType the header's value, with or without parameters.
 * @param body the complete body; one of more than {@link REFUSAL_MAX_BYTES} is not parsed and proves nothing.
 */
export function isRefusal(status: number, contentType: string, body: Buffer): boolean {
  if (!mayBeRefusal(status, contentType) || body.length > REFUSAL_MAX_BYTES) return false;
  const document = parseObject(body);
  const error = asObject(document?.["error"]);
  if (!document || !error || typeof error["message"] !== "string") return false;
  if (COMPLETION_FIELDS.some((field) => Object.hasOwn(document, field))) return false;
  // Some clients and proxies write the code as text.
  return !mayHaveStarted(Number(error["code"]));
}

/** Whether the head of a response leaves open that its body is a refusal, so that the body is worth keeping. */
export function mayBeRefusal(status: number, contentType: string): boolean {
  const mediaType = contentType.split(";", 1)[0]?.trim().toLowerCase();
  return status >= 400 && status <= 599 && !mayHaveStarted(status) && mediaType === "application/json";
}

function parseObject(json: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(json.toString("utf8")));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}
