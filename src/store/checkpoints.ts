import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";

const EVERY_MS = 1_000;
/** It holds a connection and a timer. */
const HEAP_MAX_MB = 16;

/** What the thread is told when it begins. */
export interface CheckpointWork {
  /** Of the SQLite file. */
  readonly path: string;
  readonly everyMs: number;
}

/**
 * Brings what SQLite has written to its log (WAL) into the database file, in a thread of its own. A checkpoint waits for the
 * disk, tens of ms, and done by the connection that writes it would hold up every request of the gateway meanwhile. Should
 * the thread fail or fall behind, that connection does it, as soon as the log has 1,000 pages.
 */
export class Checkpoints {
  readonly #work: CheckpointWork;
  readonly #onFailure: (error: Error) => void;
  #thread: Worker | undefined = undefined;

  /**
   * @param sqlite an open file. @param onFailure told when the thread has ended before it was to.
   * @param everyMs between two checkpoints.
   */
  constructor(sqlite: DatabaseSync, onFailure: (error: Error) => void, everyMs: number = EVERY_MS) {
    const path = sqlite.location();
    if (path === null) throw new Error("a database in memory has no log");
    this.#work = { path, everyMs };
    this.#onFailure = onFailure;
  }

  start(): void {
    const thread = new Worker(new URL("./checkpoint-thread.ts", import.meta.url), {
      name: "checkpoints",
      workerData: this.#work,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
      // It needs nothing of what this process was started with.
      env: {},
      execArgv: [],
    });
    thread.on("error", this.#onFailure);
    thread.once("exit", () => (this.#thread = undefined));
    thread.unref();
    this.#thread = thread;
  }

  /** Ends the thread, after a last checkpoint; the connection that writes may be closed then. */
  async stop(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    // Not once(): should the thread fail now, it has ended all the same.
    const ended = new Promise((resolve) => void thread.once("exit", resolve));
    thread.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    thread.postMessage("stop");
    await ended;
  }
}
