import { Worker } from "node:worker_threads";
import type { CompiledQuery } from "kysely";
import type { PagedReader, ReadRow } from "./paged-reader.ts";

/** It holds one page at a time; this is no more than a limit. */
const HEAP_MAX_MB = 64;

/** What the thread is started with. */
export interface ReaderWork {
  /** Of the SQLite file. */
  readonly path: string;
  readonly busyTimeoutMs: number;
}

/** Asks the thread for the first page of a query, for the next page of one, or to forget one. */
export type ReaderAsk =
  | { readonly cursor: number; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly cursor: number }
  | { readonly cursor: number; readonly isAbandoned: true };

/** The thread's answer to each ask but the last kind. */
export type ReaderAnswer =
  | { readonly cursor: number; readonly rows: readonly ReadRow[]; readonly isLast: boolean }
  | { readonly cursor: number; readonly error: ReaderError };

/** What is kept of an error between threads, which drop all but its message. */
export interface ReaderError {
  readonly message: string;
  readonly code: unknown;
  readonly errcode: unknown;
}

type Page = Extract<ReaderAnswer, { rows: unknown }>;

/**
 * Reads SQLite in a thread with a connection of its own: `node:sqlite` answers at once, so that a query of a second would
 * hold up every request for a second. The thread starts with the first query.
 */
export class SqliteReader implements PagedReader {
  readonly #work: ReaderWork;
  readonly #asked = new Map<number, PromiseWithResolvers<Page>>();
  #thread: Worker | undefined = undefined;
  #cursors = 0;

  constructor(work: ReaderWork) {
    this.#work = work;
  }

  async *pages({ sql, parameters }: CompiledQuery): AsyncGenerator<readonly ReadRow[], void> {
    const cursor = this.#cursors++;
    let isOpen = true;
    try {
      for (let ask: ReaderAsk = { cursor, sql, parameters }; isOpen; ask = { cursor }) {
        const { rows, isLast } = await this.#ask(ask);
        isOpen = !isLast;
        if (rows.length > 0) yield rows;
      }
    } finally {
      if (isOpen) this.#post({ cursor, isAbandoned: true });
    }
  }

  async row(query: CompiledQuery): Promise<ReadRow> {
    for await (const [row] of this.pages(query)) if (row) return row;
    throw new Error("a query that gives one row gave none");
  }

  /** Ends the thread after the query that it works on; reports under way fail. */
  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #ask(ask: ReaderAsk): Promise<Page> {
    const asked = Promise.withResolvers<Page>();
    try {
      this.#thread ??= this.#start();
    } catch (error) {
      asked.reject(error);
      return asked.promise;
    }
    // A process waits for an answer, and not for a thread that has nothing to do.
    this.#thread.ref();
    this.#asked.set(ask.cursor, asked);
    this.#post(ask);
    return asked.promise;
  }

  #post(ask: ReaderAsk): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    this.#thread?.postMessage(ask);
  }

  #start(): Worker {
    const thread = new Worker(new URL("./sqlite-reader-thread.ts", import.meta.url), {
      name: "reader",
      workerData: this.#work,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB },
      // It needs nothing of what this process was started with.
      env: {},
      execArgv: [],
    });
    thread.on("message", (answer: ReaderAnswer) => this.#settle(answer));
    let cause: unknown = undefined;
    thread.on("error", (error) => (cause = error));
    thread.once("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
      for (const { reject } of this.#asked.values())
        reject(cause ?? new Error("the thread that reads SQLite has ended"));
      this.#asked.clear();
    });
    thread.unref();
    return thread;
  }

  #settle(answer: ReaderAnswer): void {
    const asked = this.#asked.get(answer.cursor);
    this.#asked.delete(answer.cursor);
    if (this.#asked.size === 0) this.#thread?.unref();
    if ("rows" in answer) asked?.resolve(answer);
    else asked?.reject(Object.assign(new Error(answer.error.message), answer.error));
  }
}
