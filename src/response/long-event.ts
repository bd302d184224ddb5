import { JsonOutline } from "./json-outline.ts";
import { JsonStructure } from "./json-structure.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** The outline contains `response.usage.input_tokens_details` of the Responses API, which is the deepest object needed. */
const OUTLINE_DEPTH = 5;

/** An event that is too long to be kept. Keeps only an outline of its data, which contains the usage but no text. */
export class LongEvent {
  readonly #outline = new JsonOutline(OUTLINE_DEPTH);
  readonly #structure = new JsonStructure(this.#outline);

  /** @param data the next bytes of the event's data, without `data:`. */
  push(data: Buffer): void {
    if (!this.#outline.isTooLong) this.#structure.push(data);
  }

  /** Returns the outline of the complete event; undefined if its data is not one JSON object, or its outline is too long. */
  parse(): JsonObject | undefined {
    if (this.#outline.isTooLong || !this.#structure.isComplete) return undefined;
    try {
      const value: unknown = JSON.parse(this.#outline.bytes.toString());
      return isJsonObject(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }
}
