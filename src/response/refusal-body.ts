import { JsonOutline } from "./json-outline.ts";
import { JsonStructure } from "./json-structure.ts";
import { mayHaveStarted } from "./possible-charge.ts";
import { isJsonObject, type JsonObject, readFields } from "../json-values.ts";

/** Maximum size of a refusal. An error after file parsing repeats the parsed file, often megabytes, in `metadata`. */
export const REFUSAL_MAX_BYTES = 8_388_608;

/** Fields of a completion. A document with one of them describes a generation, even if it also has an error. */
const COMPLETION_FIELDS = ["id", "choices", "usage"] as const;

/**
 * Decides from a response body whether OpenRouter refused the request and charged nothing. A refusal is a complete JSON
 * document in OpenRouter's error shape, `{"error":{"message":string,"code"?:...},...}`, that reports neither a generation nor
 * a timeout. The reader keeps only the outline of the document, a few hundred bytes, without `metadata`.
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

  /** Whether the body can still be a refusal when it is complete. */
  get isPossible(): boolean {
    return this.#bytes <= REFUSAL_MAX_BYTES && !this.#outline.isTooLong;
  }

  /** Whether the body is a refusal. Valid when the body is complete. */
  get isRefusal(): boolean {
    if (!this.isPossible) return false;
    const document = parseObject(this.#outline.bytes);
    const error = readFields(document?.["error"]);
    if (!document || typeof error["message"] !== "string") return false;
    if (COMPLETION_FIELDS.some((field) => Object.hasOwn(document, field))) return false;
    // Some providers and proxies send the code as a string.
    return !mayHaveStarted(Number(error["code"]));
  }
}

/**
 * Whether the body of a response can be a refusal, judged by its status and content type.
 * @param contentType value of the header, with or without parameters.
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
