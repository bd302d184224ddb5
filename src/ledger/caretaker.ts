import type { Database } from "../store/database.ts";
import { adoptOrphans, beat, leave } from "../store/instances.ts";
import type { RequestRow } from "../store/request-row.ts";
import { type Recovered, recoverJournals } from "./recovery.ts";
import type { WriteRows } from "./tolerant-write.ts";

const BEAT_EVERY_MS = 10_000;
/** A process that has not been heard of for so long is dead; should it live after all, its rows are still taken. */
const DEAD_AFTER_MS = 60_000;
/** A journal that knows of a generation may still turn up, with its disk. */
const LOST_AFTER_MS = 3_600_000;

export interface CaretakerOptions {
  readonly database: Database;
  readonly write: WriteRows;
  /** Where journals stand, this process's and those of others. */
  readonly directory: string;
  readonly instance: string;
  readonly onUnknown: (rows: readonly RequestRow[]) => void;
  readonly onRecovered: (found: Recovered) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Says that this process lives, and takes over what others left that do not. */
export class Caretaker {
  readonly #options: CaretakerOptions;
  #timer: NodeJS.Timeout | undefined = undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: CaretakerOptions) {
    this.#options = options;
  }

  /** The first round is over when it returns; rounds that fail are told of and made again. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      this.#round = this.#round.then(() => this.#lookAfter());
    }, BEAT_EVERY_MS);
    this.#timer.unref();
    this.#round = this.#lookAfter();
    await this.#round;
  }

  /** Takes this process off the list of those that live. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
    await leave(this.#options.database, this.#options.instance).catch(this.#options.onFailure);
  }

  /** Each by itself: a journal that cannot be read must not keep rows of other disks from being taken over. */
  async #lookAfter(): Promise<void> {
    const { database, instance, onUnknown, onFailure } = this.#options;
    const now = Date.now();
    await beat(database, instance, now).catch(onFailure);
    await this.#recover().catch(onFailure);
    const deadlines = { lastSeenBefore: now - DEAD_AFTER_MS, startedBefore: now - LOST_AFTER_MS };
    await adoptOrphans(database, now, deadlines).then(onUnknown, onFailure);
  }

  async #recover(): Promise<void> {
    const { directory, instance, write, onRecovered, onUnknown } = this.#options;
    const recovered = await recoverJournals(directory, instance, async (rows) => {
      const written = await write(rows);
      // Most of what a journal has no end of, the database has.
      onUnknown(written.filter(({ state }) => state === "unknown"));
    });
    if (recovered.instances > 0) onRecovered(recovered);
  }
}
