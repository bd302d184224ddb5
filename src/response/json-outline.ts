const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const FIRST_BYTES = 512;
const MAX_BYTES = 16_384;
/** Longer strings are replaced by empty ones. */
const TEXT_MAX_BYTES = 1_024;
/** Members of objects at this depth and below are omitted. */
const HIDDEN_DEPTH = 3;

/**
 * Outline of a JSON document: its top-level members and, if their values are objects, the members of these objects. The outline
 * omits array items and members of deeper objects, and replaces long strings by empty ones. It takes at most 16 KiB.
 * In all methods, `depth` is the number of open objects and arrays.
 */
export class JsonOutline {
  #bytes = Buffer.alloc(0);
  #length = 0;
  /** Position in the outline where the text of the current string begins. */
  #textAt = 0;
  #isTextTooLong = false;
  #hiddenDepth = HIDDEN_DEPTH;
  #isTooLong = false;

  /** Whether the outline would exceed its maximum size, and is therefore incomplete. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** Values at this depth and below are omitted. */
  get hiddenDepth(): number {
    return this.#hiddenDepth;
  }

  /** The current outline. It is valid JSON when a valid document has ended. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param depth depth after this bracket. */
  open(bracket: number, depth: number): void {
    this.add(bracket, depth - 1);
    if (bracket === OPEN_BRACKET && depth < this.#hiddenDepth) this.#hiddenDepth = depth;
  }

  /** @param depth depth after this bracket. */
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

  /** Adds a byte outside of strings. */
  add(byte: number, depth: number): void {
    if (depth >= this.#hiddenDepth) return;
    // Keeps one byte of a run of white space, because OpenRouter sends any amount of it to keep a connection alive.
    if (byte <= SPACE && this.#length > 0 && (this.#bytes[this.#length - 1] as number) <= SPACE) return;
    if (this.#hasRoomFor(1)) this.#bytes[this.#length++] = byte;
  }

  #hasRoomFor(bytes: number): boolean {
    const needed = this.#length + bytes;
    this.#isTooLong ||= needed > MAX_BYTES;
    if (this.#isTooLong) return false;
    if (needed > this.#bytes.length) {
      // Does not allocate from Node's pool, because a small buffer would keep the whole pool in memory.
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * this.#bytes.length, needed));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    return true;
  }
}
