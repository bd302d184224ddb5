import type { JsonOutline } from "./json-outline.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Tracks strings and the nesting depth of a JSON document in constant memory, to detect whether the document is complete. A
 * truncated object, array or string is never complete. The class does not validate: it can report invalid JSON as complete.
 */
export class JsonStructure {
  readonly #outline: JsonOutline | undefined;
  #depth = 0;
  #inString = false;
  /** Whether the next byte is inside a string and escaped by a backslash. */
  #isEscaped = false;
  /** `bare`: in a number, a literal, or text that is not JSON. `invalid`: several values, or an unmatched closing bracket. */
  #state: "before" | "within" | "bare" | "after" | "invalid" = "before";

  /** @param outline if given, receives the outline of the document. */
  constructor(outline?: JsonOutline) {
    this.#outline = outline;
  }

  push(chunk: Buffer): void {
    let at = this.#inString ? this.#skipString(chunk, 0) : 0;
    while (at < chunk.length) {
      const hiddenDepth = this.#outline?.hiddenDepth ?? 1;
      if (this.#depth >= hiddenDepth) at = this.#skipHidden(chunk, at, hiddenDepth);
      if (at === chunk.length) return;
      const byte = chunk[at++] as number;
      if (byte === QUOTE) {
        this.#begin("within");
        this.#outline?.openString(this.#depth);
        this.#inString = true;
        at = this.#skipString(chunk, at);
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        this.#begin("within");
        this.#depth++;
        this.#outline?.open(byte, this.#depth);
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth--;
        this.#outline?.close(byte, this.#depth);
        if (this.#depth < 0) this.#state = "invalid";
        else if (this.#depth === 0 && this.#state === "within") this.#state = "after";
      } else {
        if (byte > SPACE) this.#begin("bare");
        else if (this.#state === "bare") this.#state = "after";
        this.#outline?.add(byte, this.#depth);
      }
    }
  }

  /** Whether exactly one value has ended, followed by white space only. */
  get isComplete(): boolean {
    return this.#state === "after";
  }

  #begin(state: "within" | "bare"): void {
    if (this.#depth > 0) return;
    if (this.#state === "before") this.#state = state;
    else if (this.#state !== "bare" || state !== "bare") this.#state = "invalid";
  }

  /**
   * Skips bytes that affect neither the outline nor the state, several times faster than the loop of `push`.
   * @returns the position of the bracket that closes the outermost hidden object or array, or the chunk's length.
   */
  #skipHidden(chunk: Buffer, from: number, hiddenDepth: number): number {
    let at = from;
    let depth = this.#depth;
    while (at < chunk.length) {
      const byte = chunk[at] as number;
      if (byte === QUOTE) {
        this.#inString = true;
        at = this.#skipString(chunk, at + 1);
        continue;
      }
      // `[` differs from `{` only in bit 5, and so does `]` from `}`.
      if ((byte | SPACE) === OPEN_BRACE) depth++;
      else if ((byte | SPACE) === CLOSE_BRACE) {
        if (depth === hiddenDepth) break;
        depth--;
      }
      at++;
    }
    this.#depth = depth;
    return at;
  }

  /** @param from position inside the string. @returns the position after the closing quote, or the length of the chunk. */
  #skipString(chunk: Buffer, from: number): number {
    for (let end = chunk.indexOf(QUOTE, from); end !== -1; end = chunk.indexOf(QUOTE, end + 1)) {
      if (this.#isEscapedAt(chunk, from, end)) continue;
      this.#outline?.addText(chunk.subarray(from, end), this.#depth);
      this.#outline?.closeString(this.#depth);
      this.#inString = false;
      this.#isEscaped = false;
      if (this.#depth === 0 && this.#state === "within") this.#state = "after";
      return end + 1;
    }
    this.#outline?.addText(chunk.subarray(from), this.#depth);
    this.#isEscaped = this.#isEscapedAt(chunk, from, chunk.length);
    return chunk.length;
  }

  #isEscapedAt(chunk: Buffer, from: number, at: number): boolean {
    let count = 0;
    while (at - 1 - count >= from && chunk[at - 1 - count] === BACKSLASH) count++;
    // The first byte of this chunk may be escaped by the last one of the previous chunk.
    if (at - count === from && this.#isEscaped) count++;
    return count % 2 === 1;
  }
}
