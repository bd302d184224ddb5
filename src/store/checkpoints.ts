import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";

/** Each lets the log begin anew, for which its writer syncs one page: some ms. Rare enough for that, and for a short log. */
const EVERY_MS = 5_000;
/** It holds a connection and a timer; this is no more than a limit. */
const HEAP_MAX_MB = 64;

/** What the thread is told when it begins. */
export interface CheckpointWork {
  /** Of the SQLite file. */
  readonly path: string;
  readonly everyMs: number;
}

/**
 * Brings what SQLite has written to its log (WAL) into the database file, in a thread of its own. A checkpoint waits for the
 * disk, tens of ms, and done by the connection that writes it would hold up every request of the gateway meanwhile. Should
 * the thread fail or fall behind, that connection does it, when the log has the pages that `node-sqlite.ts` says.
 */
export class Checkpoints {
  readonly #work: CheckpointWork;
  readonly #onFailure: (error: Error) => void;
  #thread: Worker | undefined = undefined;

  /**
   * @param sqlite an open file. @param onFailure told when checkpoints begin to fail, or cannot be made in a thread.
   * @param everyMs between two checkpoints.
   */
  constructor(sqlite: DatabaseSync, onFailure: (error: Error) => void, everyMs: number = EVERY_MS) {
    const path = sqlite.location();
    if (path === null) throw new Error("a database in memory has no log");
    this.#work = { path, everyMs };
    this.#onFailure = onFailure;
  }

  /** Begins. What fails is told, not thrown: without it, requests wait now and then, and nothing is lost. */
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
      // It needs nothing of what this process was started with.
      env: {},
      execArgv: [],
    });
    thread.on("message", this.#onFailure);
    thread.on("error", this.#onFailure);
    thread.once("exit", () => (this.#thread = undefined));
    thread.unref();
    return thread;
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
