/** Called when a line has been written to the operating system, or with the error if the write failed. */
export type CommitCallback = (error: Error | undefined) => void;

/**
 * Batches the lines of one turn of the event loop into one system call, because the call is slower than formatting a line. A
 * callback waits no longer than the rest of the turn.
 */
export class GroupCommit {
  readonly #write: (lines: string) => void;
  #lines = "";
  #callbacks: CommitCallback[] = [];

  /** @param write writes all lines or throws. */
  constructor(write: (lines: string) => void) {
    this.#write = write;
  }

  /** Queues a line for the next flush. @param line ends with a line feed. */
  add(line: string, onCommitted: CommitCallback): void {
    if (this.#callbacks.length === 0) setImmediate(() => this.flush());
    this.#lines += line;
    this.#callbacks.push(onCommitted);
  }

  /** Writes the queued lines now. */
  flush(): void {
    if (this.#callbacks.length === 0) return;
    const callbacks = this.#callbacks;
    const lines = this.#lines;
    this.#callbacks = [];
    this.#lines = "";
    let failure: Error | undefined;
    try {
      this.#write(lines);
    } catch (error) {
      failure = error as Error;
    }
    for (const onCommitted of callbacks) {
      try {
        onCommitted(failure);
      } catch (error) {
        // The other callbacks must be called even if one throws. Its error ends the process, like every uncaught error.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
