import { IncomingMessage } from "node:http";

/** Length of a block. A longer chunk keeps its own Buffer, because the Buffer's overhead of some 450 bytes is then small. */
const BLOCK_BYTES = 4_096;

/**
 * A request that joins the small chunks of its body into blocks as they arrive. Node creates a Buffer of some 450 bytes
 * for each chunk, so 18 MB of one-byte chunks would take gigabytes. With blocks, a byte of the body takes at most 2.3 bytes
 * of memory, whether the body is read or discarded; in the worst case, two small chunks and a long one alternate. A body
 * that arrives in one chunk is not copied.
 */
export class CoalescingMessage extends IncomingMessage {
  /** Bytes that have arrived but are not pushed yet: either a single chunk, or a block with free space at its end. */
  #block: Buffer | undefined = undefined;
  #filled = 0;
  #arrived = 0;

  /** Bytes of the body that have arrived so far. */
  get arrivedBytes(): number {
    return this.#arrived;
  }

  /** Called by Node with each chunk of the body, and with null at its end. */
  override push(chunk: Buffer | null): boolean {
    if (chunk === null) {
      this.#flush();
      return super.push(null);
    }
    this.#arrived += chunk.length;
    if (this.#filled + chunk.length > BLOCK_BYTES) {
      const flows = this.#flush();
      if (chunk.length >= BLOCK_BYTES) return super.push(chunk);
      this.#block = chunk;
      this.#filled = chunk.length;
      return flows;
    }
    if (this.#block === undefined) this.#block = chunk;
    else {
      if (this.#block.length === this.#filled) this.#block = blockWith(this.#block);
      chunk.copy(this.#block, this.#filled);
    }
    this.#filled += chunk.length;
    return true;
  }

  #flush(): boolean {
    const block = this.#block;
    if (block === undefined) return true;
    this.#block = undefined;
    const filled = this.#filled;
    this.#filled = 0;
    return super.push(filled === block.length ? block : block.subarray(0, filled));
  }
}

/** Creates a block that begins with these bytes, outside Node's pool, because a small piece keeps the pool in memory. */
function blockWith(bytes: Buffer): Buffer {
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  bytes.copy(block);
  return block;
}
