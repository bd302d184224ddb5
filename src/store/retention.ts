import type { Database } from "./database.ts";

const BATCH = 1_000;
const FIRST_MS = 60_000;
const EVERY_MS = 3_600_000;

/**
 * Deletes finished rows of the ledger that began before a time; their sums in the rollups stay. A thousand at a time, so
 * that nobody waits for it long.
 * @param before ms since 1970. @returns how many.
 */
export async function deleteRequestsBefore({ kysely }: Database, before: number): Promise<number> {
  let deleted = 0;
  for (;;) {
    const expired = await kysely
      .selectFrom("requests")
      .select("id")
      .where("id", "<", idAt(before))
      .where("state", "in", ["settled", "unknown"])
      .orderBy("id")
      .limit(BATCH)
      .execute();
    const ids = expired.map(({ id }) => id);
    if (ids.length > 0) await kysely.deleteFrom("requests").where("id", "in", ids).execute();
    deleted += ids.length;
    if (ids.length < BATCH) return deleted;
  }
}

/** The lowest id that a request which began at this time can have: ids begin with their time. @param ms since 1970. */
export function idAt(ms: number): string {
  return Math.max(0, Math.floor(ms)).toString(36).padStart(9, "0");
}

/** Keeps the ledger from growing for ever. */
export class Retention {
  readonly #database: Database;
  readonly #keepMs: number;
  readonly #onFailure: (error: unknown) => void;
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
      this.start(EVERY_MS);
    }, delayMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#round;
  }

  async #run(): Promise<void> {
    try {
      await deleteRequestsBefore(this.#database, Date.now() - this.#keepMs);
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
