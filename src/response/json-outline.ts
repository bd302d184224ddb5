const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const FIRST_BYTES = 512;
const MAX_BYTES = 16_384;
/** The text of a longer string is left out. */
const TEXT_MAX_BYTES = 1_024;
/** Members of objects that are nested this deep are left out. */
const HIDDEN_DEPTH = 3;

/**
 * The outline of a JSON document: its own members and those of the objects among them, without the items of arrays, the
 * members of objects below, and long texts, which are replaced by empty ones. It takes at most 16 KiB, whatever the document
 * carries. `depth` is the number of objects and arrays that are open.
 */
export class JsonOutline {
  #bytes = Buffer.alloc(0);
  #length = 0;
  /** Where the text of the current string begins in the outline. */
  #textAt = 0;
  #isTextTooLong = false;
  #hiddenDepth = HIDDEN_DEPTH;
  #isTooLong = false;

  /** Whether the outline is longer than it may be, and incomplete. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** What is nested this deep is left out. */
  get hiddenDepth(): number {
    return this.#hiddenDepth;
  }

  /** The outline so far: valid JSON if the document has ended and is valid. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param depth with what this bracket opens. */
  open(bracket: number, depth: number): void {
    this.add(bracket, depth - 1);
    if (bracket === OPEN_BRACKET && depth < this.#hiddenDepth) this.#hiddenDepth = depth;
  }

  /** @param depth without what this bracket closes. */
  close(bracket: number, depth: number): void {
    if (depth < this.#hiddenDepth) this.#hiddenDepth = HIDDEN_DEPTH;
    this.add(bracket, depth);
  }

  openString(depth: number): void {
    this.add(QUOTE, depth);
    this.#textAt = this.#length;
    this.#isTextTooLong = false;
  }

  addText(text: Buffer, depth: number): void {
    if (depth >= this.#hiddenDepth || this.#isTextTooLong) return;
    this.#isTextTooLong = this.#length - this.#textAt + text.length > TEXT_MAX_BYTES;
    if (this.#isTextTooLong) this.#length = this.#textAt;
    else if (this.#hasRoomFor(text.length)) this.#length += text.copy(this.#bytes, this.#length);
  }

  closeString(depth: number): void {
    this.add(QUOTE, depth);
  }

  /** A byte outside of strings. */
  add(byte: number, depth: number): void {
    if (depth >= this.#hiddenDepth) return;
    // White space of any length keeps a slow response alive.
    if (byte <= SPACE && this.#length > 0 && (this.#bytes[this.#length - 1] as number) <= SPACE) return;
    if (this.#hasRoomFor(1)) this.#bytes[this.#length++] = byte;
  }

  #hasRoomFor(bytes: number): boolean {
    const needed = this.#length + bytes;
    this.#isTooLong ||= needed > MAX_BYTES;
    if (this.#isTooLong) return false;
    if (needed > this.#bytes.length) {
      // Not from Node's pool, of which a small part would retain the whole.
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * this.#bytes.length, needed));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    return true;
  }
}
