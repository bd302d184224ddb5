import { setImmediate } from "node:timers/promises";
import type { Database } from "./database.ts";
import { idAt } from "./row-id.ts";

const BATCH = 1_000;
const FIRST_MS = 60_000;
const EVERY_MS = 3_600_000;

/**
 * Deletes finished rows of the ledger that began before a time; their sums in the rollups stay. A thousand at a time, so
 * that nobody waits for it long.
 * @param before ms since 1970. @param signal ends it early. @returns how many.
 */
export async function deleteRequestsBefore(
  { kysely }: Database,
  before: number,
  signal?: AbortSignal,
): Promise<number> {
  let deleted = 0;
  let last = "";
  for (;;) {
    const expired = await kysely
      .selectFrom("requests")
      .select("id")
      .where("id", ">", last)
      .where("id", "<", idAt(before))
      .where("state", "in", ["settled", "unknown"])
      .orderBy("id")
      .limit(BATCH)
      .execute();
    const ids = expired.map(({ id }) => id);
    if (ids.length > 0) await kysely.deleteFrom("requests").where("id", "in", ids).execute();
    deleted += ids.length;
    last = ids.at(-1) ?? last;
    if (ids.length < BATCH || signal?.aborted) return deleted;
    // SQLite answers at once: without this, every request would wait for the last batch.
    await setImmediate();
  }
}

/** Keeps the ledger from growing for ever. */
export class Retention {
  readonly #database: Database;
  readonly #keepMs: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined = undefined;
  #round: Promise<void> = Promise.resolve();

  /** @param keepMs how long rows are kept. @param onFailure told when it failed; it is tried again in an hour. */
  constructor(database: Database, keepMs: number, onFailure: (error: unknown) => void) {
    this.#database = database;
    this.#keepMs = keepMs;
    this.#onFailure = onFailure;
  }

  start(delayMs: number = FIRST_MS): void {
    this.#timer = setTimeout(() => {
      this.#round = this.#run();
    }, delayMs);
    this.#timer.unref();
  }

  /** Stops after the batch under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#round;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await deleteRequestsBefore(this.#database, Date.now() - this.#keepMs, signal);
    } catch (error) {
      this.#onFailure(error);
    }
    if (!signal.aborted) this.start(EVERY_MS);
  }
}
