import type { Database } from "../store/database.ts";
import { adoptOrphans, heartbeat, deregister } from "./sql/instances.ts";
import { type RequestRow, STATE } from "./record.ts";
import { type RecoveryResult, recoverJournals } from "./journal/replay.ts";
import type { WriteRows } from "./quarantining-writer.ts";
import { HOUR_MS } from "../durations.ts";

const BEAT_EVERY_MS = 10_000;
/** A process that has not been heard of for so long is dead; should it live after all, its rows are still taken. */
const DEAD_AFTER_MS = 60_000;
/** A beat that comes so much sooner or later by the database's clock than by this process' shows that one has jumped. */
const CLOCK_JUMP_MS = 30_000;
/** The clocks of machines differ by less when they are kept right. */
const CLOCK_SKEW_MS = 60_000;
/** However soon bills are given up, a journal has so long to turn up, and a process to say that it lives after all. */
const LOST_AFTER_MIN_MS = HOUR_MS;

export interface OrphanRecoveryOptions {
  readonly database: Database;
  readonly write: WriteRows;
  /** Where journals stand, this process's and those of others. */
  readonly directory: string;
  readonly instance: string;
  /** When a row without a generation is given up: until then the journal that may know of one can turn up, with its disk. */
  readonly lostAfterMs: number;
  /** Rows that began before this time, in ms since 1970, have been deleted and counted; a journal may still have them. */
  readonly readRetentionCutoff: () => Promise<number>;
  readonly onUnknown: (rows: readonly RequestRow[]) => void;
  /** Called with how many rows of a journal were left out because they had been deleted. */
  readonly onExpired: (count: number) => void;
  /** Called when this machine's clock begins to differ from the database's. @param aheadMs negative: it is behind. */
  readonly onClockSkew: (aheadMs: number) => void;
  readonly onRecovered: (found: RecoveryResult) => void;
  readonly onFailure: (error: unknown) => void;
  /** A clock in ms that never goes back. */
  readonly now?: () => number;
}

/** A beat by this process' monotonic clock, and by the database's. */
interface Heartbeat {
  readonly at: number;
  readonly databaseAt: number;
}

/** Says that this process lives, and takes over what others left that do not. */
export class OrphanRecovery {
  readonly #options: OrphanRecoveryOptions;
  readonly #now: () => number;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Since when this process has said without a break that it lives. */
  #beatingSince: number | undefined = undefined;
  #lastBeat: Heartbeat | undefined = undefined;
  #isSkewed = false;
  #beating: Promise<void> = Promise.resolve();
  #round: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(options: OrphanRecoveryOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Begins, with what is to be taken over now. Nobody waits for that: a long journal takes minutes. */
  start(): void {
    const every = (run: () => void): void => {
      run();
      this.#timers.push(setInterval(run, BEAT_EVERY_MS).unref());
    };
    every(() => {
      this.#beating = this.#beating.then(() => this.#beat());
    });
    every(() => void this.runOnce());
  }

  /** Takes this process off the list of those that live. What is being taken over stays for others. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#round;
    await this.#beating;
    await deregister(this.#options.database, this.#options.instance).catch(this.#options.onFailure);
  }

  /** Takes over what there is, after the round that is under way. What fails is told of, and tried again in the next. */
  async runOnce(): Promise<void> {
    this.#round = this.#makeRound(this.#round);
    await this.#round;
  }

  async #makeRound(before: Promise<void>): Promise<void> {
    await before;
    // Each by itself: a journal that cannot be read must not keep rows of other disks from being taken over.
    await this.#attempt(() => this.#recover());
    await this.#attempt(() => this.#adopt());
  }

  async #attempt(task: () => Promise<void>): Promise<void> {
    if (this.#stopping) return;
    await task().catch((error: unknown) => {
      if (!this.#stopping) this.#options.onFailure(error);
    });
  }

  async #beat(): Promise<void> {
    if (this.#stopping) return;
    const at = this.#now();
    try {
      const databaseAt = await heartbeat(this.#options.database, this.#options.instance);
      // When the database's clock jumps, those that live seem to have been silent until their next beat.
      if (this.#lastBeat && hasJumped(this.#lastBeat, { at, databaseAt })) this.#beatingSince = undefined;
      this.#beatingSince ??= at;
      this.#lastBeat = { at, databaseAt };
      this.#compareClocks(Date.now() - databaseAt);
    } catch (error) {
      this.#beatingSince = undefined;
      this.#options.onFailure(error);
    }
  }

  #compareClocks(aheadMs: number): void {
    const isSkewed = Math.abs(aheadMs) > CLOCK_SKEW_MS;
    if (isSkewed && !this.#isSkewed) this.#options.onClockSkew(aheadMs);
    this.#isSkewed = isSkewed;
  }

  async #recover(): Promise<void> {
    const { directory, instance, onRecovered } = this.#options;
    const recovered = await recoverJournals(directory, instance, (rows) => this.#writeRecovered(rows));
    if (recovered.instances > 0) onRecovered(recovered);
  }

  async #writeRecovered(rows: readonly RequestRow[]): Promise<number> {
    if (this.#stopping) throw new Error("the process stops");
    const { write, onUnknown, onExpired, readRetentionCutoff } = this.#options;
    const keptSince = await readRetentionCutoff();
    const kept = rows.filter(({ started_at }) => started_at >= keptSince);
    if (kept.length < rows.length) onExpired(rows.length - kept.length);
    const written = await write(kept);
    // Most of what a journal has no end of, the database has.
    onUnknown(written.filter(({ state }) => state === STATE.unknown));
    return written.length;
  }

  async #adopt(): Promise<void> {
    // After an outage of the database nobody has been heard of for long, and those that live need time to say so.
    if (this.#beatingSince === undefined || this.#now() - this.#beatingSince < DEAD_AFTER_MS) return;
    const { database, lostAfterMs, onUnknown } = this.#options;
    const silence = { deadAfterMs: DEAD_AFTER_MS, lostAfterMs: Math.max(lostAfterMs, LOST_AFTER_MIN_MS) };
    onUnknown(await adoptOrphans(database, silence));
  }
}

function hasJumped(before: Heartbeat, beaten: Heartbeat): boolean {
  const jumpMs = beaten.databaseAt - before.databaseAt - (beaten.at - before.at);
  return Math.abs(jumpMs) > CLOCK_JUMP_MS;
}
