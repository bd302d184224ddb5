import { setImmediate } from "node:timers/promises";
import type { Database } from "../../store/database.ts";
import { deleteEndUserRollupsBefore } from "./end-user-rollups.ts";
import { FINAL_STATES, toRowIdPrefix } from "../record.ts";
import { readRetentionTime, type RetentionTime, writeRetentionTime } from "./retention-clock.ts";
import { deleteBudgetsBefore } from "../../budgets/sql/delete-budgets.ts";
import { deleteExpiredSessions } from "../../sessions/session-store.ts";
import { DAY_MS, HOUR_MS } from "../../durations.ts";

const BATCH_MAX = 1_000;
const FIRST_ROUND_AFTER_MS = 60_000;
const ROUND_EVERY_MS = HOUR_MS;
/** Budgets of the current month are kept, even if records are deleted sooner. */
const LONGEST_PERIOD_MS = 32 * DAY_MS;

/**
 * Deletes final rows of requests that started before a time. Their sums in the rollups stay. Deletes a thousand rows at a
 * time, so that other writes do not wait long.
 * @param before ms since 1970. @param signal stops the deletion after the current batch. @returns the number of deleted
 *   rows.
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
      .where("id", "<", toRowIdPrefix(before))
      .where("state", "in", FINAL_STATES)
      .orderBy("id")
      .limit(BATCH_MAX)
      .execute();
    const ids = expired.map(({ id }) => id);
    if (ids.length > 0) await kysely.deleteFrom("requests").where("id", "in", ids).execute();
    deleted += ids.length;
    last = ids.at(-1) ?? last;
    if (ids.length < BATCH_MAX || signal?.aborted) return deleted;
    // SQLite runs synchronously. Without a pause here, all requests would wait until the last batch is deleted.
    await setImmediate();
  }
}

/** Reads the time, in ms since 1970, before which rows have been deleted or are about to be. @param keepMs how long rows are kept. */
export async function readDeletedBefore(database: Database, keepMs: number): Promise<number> {
  const { trusted } = await readRetentionTime(database, keepMs, 0);
  return trusted - keepMs;
}

async function hasFinalRowBefore({ kysely }: Database, before: number): Promise<boolean> {
  const row = await kysely
    .selectFrom("requests")
    .select("id")
    .where("id", "<", toRowIdPrefix(before))
    .where("state", "in", FINAL_STATES)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export interface RetentionOptions {
  readonly database: Database;
  /** How long rows are kept. */
  readonly keepMs: number;
  /** Called when a round fails. The next round runs as scheduled. */
  readonly onFailure: (error: unknown) => void;
  /** Called in every round that keeps expired rows because the clock jumped forward too far. */
  readonly onClockAhead: (time: RetentionTime) => void;
}

/** Limits the size of the database: deletes rows of the ledger that are older than `keepMs`, and expired sessions, every hour. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined = undefined;
  #round: Promise<void> = Promise.resolve();
  /** Run time of this process, measured by its timers, since it last stored the trusted time. */
  #ranMs = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /**
   * Stores the trusted time before this process adds rows, because the clock of this process may be wrong. The first deletion
   * starts a minute later.
   */
  async start(): Promise<void> {
    this.#schedule(FIRST_ROUND_AFTER_MS);
    this.#round = this.#attempt(async () => {
      await this.#readTime();
    });
    await this.#round;
  }

  /** Stops after the current batch. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** Returns the time, in ms since 1970, before which rows have been deleted or are about to be. */
  async deletedBefore(): Promise<number> {
    const { database, keepMs } = this.#options;
    return readDeletedBefore(database, keepMs);
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#ranMs += delayMs;
      this.#round = this.#run();
    }, delayMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    await this.#attempt(async () => {
      const { database, keepMs, onClockAhead } = this.#options;
      const time = await this.#readTime();
      await deleteRequestsBefore(database, time.trusted - keepMs, signal);
      await deleteBudgetsBefore(database, time.trusted - Math.max(keepMs, LONGEST_PERIOD_MS));
      await deleteEndUserRollupsBefore(database, time.trusted - keepMs, signal);
      await deleteExpiredSessions(database);
      if (time.trusted < time.now && (await hasFinalRowBefore(database, time.now - keepMs)))
        onClockAhead(time);
    });
    if (!signal.aborted) this.#schedule(ROUND_EVERY_MS);
  }

  async #readTime(): Promise<RetentionTime> {
    const { database, keepMs } = this.#options;
    const time = await readRetentionTime(database, keepMs, this.#ranMs);
    await writeRetentionTime(database, time);
    this.#ranMs = 0;
    return time;
  }

  async #attempt(task: () => Promise<void>): Promise<void> {
    await task().catch(this.#options.onFailure);
  }
}
