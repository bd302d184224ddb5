import { copyToOwnMemory } from "./own-memory.ts";
import { readFirstMembers, readLastMember } from "./top-level-members.ts";

const SPACE = 0x20;
/** The first fields of an answer, its id among them; they come after the white space that keeps a long call alive. */
const START_BYTES = 4_096;
/** Enough for the usage of an answer and what follows it. */
const END_BYTES = 16_384;
/** Each chunk takes some 200 bytes besides its own: more of them are joined. */
const CHUNKS_MAX = 256;

/**
 * Keeps both ends of a passing JSON document, to read members of its top level when it has ended. Most chunks are kept
 * as they are, not copied, so that a document of any length takes little memory and no time.
 */
export class JsonDocumentReader {
  #start: Buffer[] = [];
  #startBytes = 0;
  #end: Buffer[] = [];
  #endBytes = 0;
  /** Everything that came is in `#end`. */
  #isWhole = true;

  push(chunk: Buffer): void {
    if (this.#startBytes < START_BYTES) this.#keepStart(chunk);
    // White space before the document, of any length, is not part of it.
    if (this.#startBytes === 0) return;
    this.#end.push(chunk);
    this.#endBytes += chunk.length;
    // In batches: to shift an array at every chunk would cost more than the memory is worth.
    if (this.#endBytes > 2 * END_BYTES && this.#end.length > 1) this.#trimEnd();
    if (this.#end.length > CHUNKS_MAX) this.#end = [copyToOwnMemory(Buffer.concat(this.#end))];
  }

  #keepStart(chunk: Buffer): void {
    const from = this.#startBytes === 0 ? chunk.findIndex((byte) => byte > SPACE) : 0;
    if (from === -1) return;
    const kept = chunk.subarray(from, from + START_BYTES - this.#startBytes);
    // A part of a long chunk would retain all of it.
    this.#start.push(chunk.length > 2 * START_BYTES ? copyToOwnMemory(kept) : kept);
    this.#startBytes += kept.length;
    if (this.#start.length > CHUNKS_MAX) this.#start = [copyToOwnMemory(Buffer.concat(this.#start))];
  }

  #trimEnd(): void {
    let first = 0;
    let bytes = this.#endBytes;
    for (; first < this.#end.length - 1; first++) {
      const without = bytes - (this.#end[first]?.length ?? 0);
      if (without < END_BYTES) break;
      bytes = without;
    }
    if (first === 0) return;
    this.#isWhole = false;
    this.#end = this.#end.slice(first);
    this.#endBytes = bytes;
  }

  /** Members of the top level among the first bytes; see {@link readFirstMembers}. */
  readFirstMembers(names: readonly string[]): Map<string, unknown> {
    return readFirstMembers(this.#startText(), names);
  }

  /**
   * A member of the top level near either end of a document that is complete.
   * @returns its value; undefined if it is not there.
   */
  readMember(name: string): unknown {
    const key = `"${name}"`;
    const end = this.#endText();
    const last = end.includes(key) ? readLastMember(end, name) : undefined;
    if (last !== undefined || this.#isWhole) return last;
    return this.#startText().includes(key) ? this.readFirstMembers([name]).get(name) : undefined;
  }

  /** Whether the top level has an `error` that is not null. An error that is cut, because it is long, counts too. */
  get hasError(): boolean {
    const start = this.#startText();
    const error = start.includes('"error"') ? this.readFirstMembers(["error"]) : undefined;
    return error?.has("error") ? error.get("error") !== null : (this.readMember("error") ?? null) !== null;
  }

  /** Whether the text is JSON from its first to its last byte; undefined when not all of it was kept. */
  get isValid(): boolean | undefined {
    if (!this.#isWhole) return undefined;
    try {
      JSON.parse(this.#endText().toString());
      return true;
    } catch {
      return false;
    }
  }

  #startText(): Buffer {
    return Buffer.concat(this.#start);
  }

  #endText(): Buffer {
    if (this.#end.length > 1) this.#end = [Buffer.concat(this.#end)];
    return this.#end[0] ?? Buffer.alloc(0);
  }
}
