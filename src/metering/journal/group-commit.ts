/** Told that a line is with the system, or why it is not. */
export type Committed = (error: Error | undefined) => void;

/**
 * Writes the lines of one turn of the event loop with one system call, which costs more than a line does. Who waits for a
 * line waits for no longer than the rest of the turn.
 */
export class GroupCommit {
  readonly #write: (lines: string) => void;
  #lines = "";
  #waiting: Committed[] = [];

  /** @param write writes all or throws. */
  constructor(write: (lines: string) => void) {
    this.#write = write;
  }

  /** @param line with the line feed at its end. */
  add(line: string, committed: Committed): void {
    if (this.#waiting.length === 0) setImmediate(() => this.flush());
    this.#lines += line;
    this.#waiting.push(committed);
  }

  /** Writes now what waits. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    const lines = this.#lines;
    this.#waiting = [];
    this.#lines = "";
    let failure: Error | undefined;
    try {
      this.#write(lines);
    } catch (error) {
      failure = error as Error;
    }
    for (const committed of waiting) {
      try {
        committed(failure);
      } catch (error) {
        // A fault of one must not leave the others waiting for ever; it is told like any that nobody catches.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
