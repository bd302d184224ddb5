/** Enough for the last events of a stream, usage included; a JSON answer ends with its usage too. */
const KEEP_BYTES = 16_384;

/** At the beginning of a line: in a text that a model wrote, the line break before it would be escaped. */
const DONE = /(?:^|[\r\n])data: \[DONE\]/;
const LF = 0x0a;
const CR = 0x0d;

/**
 * The last bytes of a passing answer. Chunks are kept as they are, not copied; what is older than the last
 * {@link KEEP_BYTES} is let go, so that an endless answer costs no memory.
 */
export class Tail {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    // Let go in batches: shifting an array at every chunk would cost more than the memory is worth.
    if (this.#bytes > 2 * KEEP_BYTES && this.#chunks.length > 1) this.#trim();
  }

  #trim(): void {
    let first = 0;
    let bytes = this.#bytes;
    for (; first < this.#chunks.length - 1; first++) {
      const without = bytes - (this.#chunks[first]?.length ?? 0);
      if (without < KEEP_BYTES) break;
      bytes = without;
    }
    this.#chunks = this.#chunks.slice(first);
    this.#bytes = bytes;
  }

  /** Nothing has passed yet. */
  get empty(): boolean {
    return this.#bytes === 0;
  }

  /** The kept bytes, at most twice {@link KEEP_BYTES} or one chunk; joins them, so it is for the end of an answer. */
  bytes(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  /** Whether a stream stands between two events: an event that is added now is one of its own. */
  atEventBoundary(): boolean {
    const bytes = this.bytes();
    const [beforeThat, before, last] = [bytes.at(-3), bytes.at(-2), bytes.at(-1)];
    if (last === LF) return before === LF || (before === CR && beforeThat === LF);
    return last === CR ? before === CR : this.empty;
  }

  /** Whether a stream has said that it is finished. */
  isDone(): boolean {
    return DONE.test(this.bytes().subarray(-256).toString("latin1"));
  }
}
