/** Called when the operating system has a line, or with the reason why it has not. */
export type CommitCallback = (error: Error | undefined) => void;

/**
 * Writes the lines of one turn of the event loop with one system call, which costs more than a line does. A callback waits no
 * longer than the rest of the turn.
 */
export class GroupCommit {
  readonly #write: (lines: string) => void;
  #lines = "";
  #callbacks: CommitCallback[] = [];

  /** @param write writes all or throws. */
  constructor(write: (lines: string) => void) {
    this.#write = write;
  }

  /** @param line with the line feed at its end. */
  add(line: string, onCommitted: CommitCallback): void {
    if (this.#callbacks.length === 0) setImmediate(() => this.flush());
    this.#lines += line;
    this.#callbacks.push(onCommitted);
  }

  /** Writes the lines that wait, now. */
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
        // A failing callback must not keep the others from being called. Its error ends the process like any uncaught one.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
