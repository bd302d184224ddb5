import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";

/**
 * After each checkpoint, the WAL restarts and the next commit syncs one page (a few ms). The interval limits both
 * the number of these syncs and the size of the WAL.
 */
const EVERY_MS = 5_000;
/** Limits the JavaScript heap of the thread, which holds only a connection and a timer. */
const HEAP_MAX_MB = 64;

/** Start data of the thread. */
export interface CheckpointWork {
  /** Path of the SQLite file. */
  readonly path: string;
  readonly everyMs: number;
}

/**
 * Runs SQLite's checkpoints, which copy the write-ahead log (WAL) into the database file, in a worker thread. A checkpoint
 * waits tens of ms for the disk; on the main thread it would delay every request. If the thread fails or is too slow, SQLite
 * runs checkpoints on the main thread, when the WAL exceeds the number of pages in `node-sqlite.ts`.
 */
export class Checkpoints {
  readonly #work: CheckpointWork;
  readonly #onFailure: (error: Error) => void;
  #thread: Worker | undefined = undefined;

  /**
   * @param sqlite an open file. @param onFailure called when checkpoints begin to fail or the thread cannot run.
   * @param everyMs time between two checkpoints.
   */
  constructor(sqlite: DatabaseSync, onFailure: (error: Error) => void, everyMs: number = EVERY_MS) {
    const path = sqlite.location();
    if (path === null) throw new Error("an in-memory database has no write-ahead log");
    this.#work = { path, everyMs };
    this.#onFailure = onFailure;
  }

  /**
   * Starts the thread. Reports a failure instead of throwing: without the thread, requests may stall, but no data is lost.
   */
  start(): void {
    try {
      this.#thread = this.#startThread();
    } catch (error) {
      this.#onFailure(error as Error);
    }
  }

  #startThread(): Worker {
    const thread = new Worker(new URL("./checkpoint-thread.ts", import.meta.url), {
      name: "checkpoints",
      workerData: this.#work,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
      // The thread needs neither environment nor options of this process.
      env: {},
      execArgv: [],
    });
    thread.on("message", this.#onFailure);
    thread.on("error", this.#onFailure);
    thread.once("exit", () => (this.#thread = undefined));
    thread.unref();
    return thread;
  }

  /** Stops the thread after a last checkpoint. The main connection may be closed afterwards. */
  async stop(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    // `events.once` would reject if the thread failed. This promise does not, because a failure ends the thread too.
    const ended = new Promise((resolve) => void thread.once("exit", resolve));
    thread.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker is not a window
    thread.postMessage("stop");
    await ended;
  }
}
