import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";

/** Limits the JavaScript heap of the thread, which holds one batch of rows per cursor. */
const HEAP_MAX_MB = 128;

/** Start data of the thread. */
export interface ReaderWork {
  /** Path of the SQLite file. */
  readonly path: string;
}

/** Command that starts a statement. `cursor` is a number that was not used before. */
export interface OpenCommand {
  readonly type: "open";
  readonly cursor: number;
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly batchRows: number;
  /** Whether the rows are copied first, so that a slow consumer does not hold a snapshot of the database. */
  readonly isCopied: boolean;
}

/** Options for reading a statement. */
export interface ReadOptions {
  /** Rows per batch. The main thread deserializes a whole batch at once. */
  readonly batchRows: number;
  readonly isCopied: boolean;
  /** Cancels the statement in the queue. A batch that the thread is already reading is finished and dropped. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A command for the thread. The thread replies to `open` and `next` with one batch each. It does not reply to `close` and
 * `stop`.
 */
export type ReaderCommand =
  | OpenCommand
  | { readonly type: "next"; readonly cursor: number }
  | { readonly type: "close"; readonly cursor: number }
  | { readonly type: "stop" };

/** Rows of a statement, in order. If `isLast`, the thread has closed the cursor. */
export interface ReaderBatch {
  readonly rows: Record<string, unknown>[];
  readonly isLast: boolean;
}

/** A reply of the thread. An error closes its cursor. */
export type ReaderReply = ReaderBatch | { readonly error: ReaderError };

/** The fields of a `node:sqlite` error. A structured clone of the error would keep only the message. */
export interface ReaderError {
  readonly message: string;
  readonly code?: unknown;
  readonly errcode?: unknown;
}

interface PendingCommand {
  readonly command: ReaderCommand;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (batch: ReaderBatch) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Runs read-only statements in a thread with its own connections. `node:sqlite` is synchronous: a statement on the main thread
 * would block every request of the gateway until it ends. In WAL mode the reader and the writer never wait for each
 * other. The thread starts with the first statement. It runs one command at a time, in order of arrival, and takes turns
 * between open cursors batch by batch.
 */
export class SqliteReader {
  readonly #path: string;
  readonly #name: string;
  readonly #queue: PendingCommand[] = [];
  #running: PendingCommand | undefined = undefined;
  #thread: Worker | undefined = undefined;
  #isClosed = false;
  #lastCursor = 0;

  /** @param sqlite an open file; the reader opens the same file. @param name name of the thread, for profilers. */
  constructor(sqlite: DatabaseSync, name: string) {
    const path = sqlite.location();
    if (path === null) throw new Error("an in-memory database cannot be read by another thread");
    this.#path = path;
    this.#name = name;
  }

  /**
   * Runs a statement and yields its rows in batches. Each batch is read when the consumer requests it; all rows are from one
   * snapshot of the database. Unless the rows are copied, SQLite cannot restart the WAL until the last batch is read.
   * @throws SQLite's error with its `code` and `errcode`, the reason of `signal`, or an error if the reader is closed.
   */
  async *read(
    sql: string,
    parameters: readonly unknown[],
    { batchRows, isCopied, signal }: ReadOptions,
  ): AsyncGenerator<Record<string, unknown>[]> {
    const cursor = ++this.#lastCursor;
    let batch = await this.#send({ type: "open", cursor, sql, parameters, batchRows, isCopied }, signal);
    try {
      for (;;) {
        if (batch.rows.length > 0) yield batch.rows;
        if (batch.isLast) return;
        batch = await this.#send({ type: "next", cursor }, signal);
      }
    } finally {
      if (!batch.isLast) this.#post({ type: "close", cursor });
    }
  }

  /** Rejects queued statements, waits for the running one, and stops the thread. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#rejectAll(new Error("the database is closed"));
    const thread = this.#thread;
    if (!thread) return;
    // `events.once` would reject if the thread failed; this promise does not.
    const ended = new Promise((resolve) => void thread.once("exit", resolve));
    thread.ref();
    this.#post({ type: "stop" });
    await ended;
  }

  #send(command: ReaderCommand, signal: AbortSignal | undefined): Promise<ReaderBatch> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new Error("the database is closed"));
        return;
      }
      this.#queue.push({ command, signal, resolve, reject });
      this.#runNext();
    });
  }

  #runNext(): void {
    while (!this.#running) {
      const next = this.#queue.shift();
      if (!next) return;
      if (next.signal?.aborted) next.reject(next.signal.reason);
      else this.#run(next);
    }
  }

  #run(pending: PendingCommand): void {
    try {
      this.#thread ??= this.#startThread();
      this.#running = pending;
      // Keeps the process alive until the rows arrive. An idle reader does not keep the process alive.
      this.#thread.ref();
      this.#post(pending.command);
    } catch (error) {
      this.#running = undefined;
      pending.reject(error);
    }
  }

  #post(command: ReaderCommand): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker is not a window
    this.#thread?.postMessage(command);
  }

  #handleReply(reply: ReaderReply): void {
    const pending = this.#running;
    this.#running = undefined;
    if (!this.#isClosed) this.#thread?.unref();
    if ("error" in reply) {
      const { message, ...codes } = reply.error;
      pending?.reject(Object.assign(new Error(message), codes));
    } else {
      // Yields to the event loop: otherwise batches in quick succession would delay other events.
      setImmediate(() => pending?.resolve(reply));
    }
    this.#runNext();
  }

  #rejectAll(reason: Error): void {
    for (const { reject } of this.#queue.splice(0)) reject(reason);
  }

  #startThread(): Worker {
    const thread = new Worker(new URL("./sqlite-reader-thread.ts", import.meta.url), {
      name: this.#name,
      workerData: { path: this.#path } satisfies ReaderWork,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
      // The thread needs neither environment nor options of this process.
      env: {},
      execArgv: [],
    });
    let failure = new Error("the SQLite reader thread exited");
    thread.on("message", (reply: ReaderReply) => this.#handleReply(reply));
    thread.on("error", (error: Error) => (failure = error));
    thread.once("exit", () => {
      // The cursors of the thread are lost. The next statement starts a new thread.
      this.#thread = undefined;
      this.#rejectAll(failure);
      this.#running?.reject(failure);
      this.#running = undefined;
    });
    return thread;
  }
}
