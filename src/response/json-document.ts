import { copyToOwnMemory } from "./own-memory.ts";
import { readFirstMembers, readLastMember } from "./top-level-members.ts";

const SPACE = 0x20;
/** Bytes to keep from the start of the document, enough for the id. White space before the document does not count. */
const START_BYTES = 4_096;
/** Bytes to keep from the end of the document, enough for the usage and the fields after it. */
const END_BYTES = 16_384;
/** Maximum number of chunks to keep. More chunks are joined, because each has an overhead of about 200 bytes. */
const CHUNKS_MAX = 256;

/**
 * Keeps the start and the end of a JSON document that the gateway relays, and reads top-level members when the document has
 * ended. It keeps most chunks without a copy, so a document of any length takes little memory and time.
 */
export class JsonDocumentReader {
  #start: Buffer[] = [];
  #startBytes = 0;
  #end: Buffer[] = [];
  #endBytes = 0;
  /** Whether `#end` contains the whole document. */
  #isWhole = true;

  push(chunk: Buffer): void {
    if (this.#startBytes < START_BYTES) this.#keepStart(chunk);
    // Skips white space of any length before the document.
    if (this.#startBytes === 0) return;
    this.#end.push(chunk);
    this.#endBytes += chunk.length;
    // Trims only when there are twice as many bytes as needed, because trimming for every chunk would take too much time.
    if (this.#endBytes > 2 * END_BYTES && this.#end.length > 1) this.#trimEnd();
    if (this.#end.length > CHUNKS_MAX) this.#end = [copyToOwnMemory(Buffer.concat(this.#end))];
  }

  #keepStart(chunk: Buffer): void {
    const from = this.#startBytes === 0 ? chunk.findIndex((byte) => byte > SPACE) : 0;
    if (from === -1) return;
    const kept = chunk.subarray(from, from + START_BYTES - this.#startBytes);
    // A view of a long chunk would keep the whole chunk in memory.
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

  /** Whether all bytes that the reader keeps from the start of the document have arrived. */
  get isStartComplete(): boolean {
    return this.#startBytes >= START_BYTES;
  }

  /** Reads top-level members from the first bytes; see {@link readFirstMembers}. */
  readFirstMembers(names: readonly string[]): Map<string, unknown> {
    return readFirstMembers(this.#startText(), names);
  }

  /**
   * Reads a top-level member near the start or the end of a complete document.
   * @returns its value; undefined if it is not found.
   */
  readMember(name: string): unknown {
    const key = `"${name}"`;
    const end = this.#endText();
    const last = end.includes(key) ? readLastMember(end, name) : undefined;
    if (last !== undefined || this.#isWhole) return last;
    return this.#startText().includes(key) ? this.readFirstMembers([name]).get(name) : undefined;
  }

  /** Whether the document has a top-level `error` that is not null. An error whose value is truncated counts too. */
  get hasError(): boolean {
    const start = this.#startText();
    const error = start.includes('"error"') ? this.readFirstMembers(["error"]) : undefined;
    return error?.has("error") ? error.get("error") !== null : (this.readMember("error") ?? null) !== null;
  }

  /** Whether the document is valid JSON; undefined if only its start and its end were kept. */
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
