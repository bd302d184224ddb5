import { JsonOutline } from "./json-outline.ts";
import { JsonStructure } from "./json-structure.ts";
import { mayHaveStarted } from "./possible-charge.ts";
import { isJsonObject, type JsonObject, readFields } from "../json-values.ts";

/** Errors after file parsing carry the parsed file in `metadata`, megabytes of it. A longer body proves nothing. */
export const REFUSAL_MAX_BYTES = 8_388_608;

/** Fields of a completion. A document with one of them describes a generation, whatever error it reports beside it. */
const COMPLETION_FIELDS = ["id", "choices", "usage"] as const;

/**
 * Reads a passing response body to decide whether it proves that OpenRouter refused the request and charged nothing: a
 * complete JSON document in its error shape, `{"error":{"message":string,"code"?:...},...}`, that reports neither a generation
 * nor a timeout. It keeps the outline of the document, a few hundred bytes, and none of `metadata`.
 * https://openrouter.ai/docs/api/reference/errors-and-debugging
 */
export class RefusalReader {
  readonly #outline = new JsonOutline();
  readonly #structure = new JsonStructure(this.#outline);
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.isPossible) this.#structure.push(chunk);
  }

  /** Whether the body, once complete, can still be a refusal. */
  get isPossible(): boolean {
    return this.#bytes <= REFUSAL_MAX_BYTES && !this.#outline.isTooLong;
  }

  /** Whether the body is a refusal. Call when it is complete. */
  get isRefusal(): boolean {
    if (!this.isPossible) return false;
    const document = parseObject(this.#outline.bytes);
    const error = readFields(document?.["error"]);
    if (!document || typeof error["message"] !== "string") return false;
    if (COMPLETION_FIELDS.some((field) => Object.hasOwn(document, field))) return false;
    // Some clients and proxies write the code as text.
    return !mayHaveStarted(Number(error["code"]));
  }
}

/**
 * Whether the head of a response leaves open that its body is a refusal, so that the body is worth reading.
 * @param contentType the header's value, with or without parameters.
 */
export function mayBeRefusal(status: number, contentType: string): boolean {
  const mediaType = contentType.split(";", 1)[0]?.trim().toLowerCase();
  return status >= 400 && status <= 599 && !mayHaveStarted(status) && mediaType === "application/json";
}

function parseObject(json: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(json.toString("utf8"));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
