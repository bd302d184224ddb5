import { releaseLeases } from "../budgets/sql/lease-expiry.ts";
import type { Database } from "../store/database.ts";
import { adoptOrphans, deregister, hasOpenRequests, heartbeat } from "./sql/instances.ts";
import { type RequestRow, STATE } from "./record.ts";
import { type RecoveryResult, recoverJournals } from "./journal/replay.ts";
import type { WriteRows } from "./quarantining-writer.ts";
import { HOUR_MS } from "../durations.ts";

const HEARTBEAT_EVERY_MS = 10_000;
/** A process without a heartbeat for this long counts as dead. If it is alive after all, its rows are still accepted. */
export const DEAD_AFTER_MS = 60_000;
/**
 * Two clocks measure the time between two heartbeats. If the results differ by more than this, one of the clocks has jumped.
 */
const CLOCK_JUMP_MS = 30_000;
/** Synchronized machine clocks differ by less than this. */
const CLOCK_SKEW_MS = 60_000;
/** Minimum time to wait for a missing journal or a late heartbeat, even if `SETTLE_GIVE_UP_MS` is shorter. */
const LOST_AFTER_MIN_MS = HOUR_MS;

export interface OrphanRecoveryOptions {
  readonly database: Database;
  readonly write: WriteRows;
  /** Directory with the journals of this process and of others. */
  readonly directory: string;
  readonly instance: string;
  /**
   * Time after which a row without a generation id is given up. Until then, a journal with the id may still be recovered.
   */
  readonly lostAfterMs: number;
  /**
   * Reads the time, in ms since 1970, before which rows have been counted and deleted. Older journal entries are skipped.
   */
  readonly readRetentionCutoff: () => Promise<number>;
  /** Called with the rows of requests whose cost is given up as unknown. */
  readonly onUnknown: (rows: readonly RequestRow[]) => void;
  /** Called with the number of journal rows that were skipped because the ledger has deleted them. */
  readonly onExpired: (count: number) => void;
  /**
   * Called when this machine's clock begins to differ from the database's.
   * @param aheadMs negative if the machine is behind.
   */
  readonly onClockSkew: (aheadMs: number) => void;
  readonly onRecovered: (result: RecoveryResult) => void;
  readonly onFailure: (error: unknown) => void;
  /** A monotonic clock in ms; default: `performance.now`. */
  readonly now?: () => number;
}

/** The time of a heartbeat by the monotonic clock of this process, and by the database's clock. */
interface Heartbeat {
  readonly at: number;
  readonly databaseAt: number;
}

/** Sends the heartbeats of this process, and takes over the journals and rows of processes that have died. */
export class OrphanRecovery {
  readonly #options: OrphanRecoveryOptions;
  readonly #now: () => number;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Start of the current series of heartbeats without a failure or a clock jump; undefined if there is none. */
  #beatingSince: number | undefined = undefined;
  #lastHeartbeat: Heartbeat | undefined = undefined;
  #isSkewed = false;
  #heartbeats: Promise<void> = Promise.resolve();
  #runs: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: OrphanRecoveryOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Starts the timers and a first run. Does not wait for the run, because a long journal takes minutes. */
  start(): void {
    const every = (run: () => void): void => {
      run();
      this.#timers.push(setInterval(run, HEARTBEAT_EVERY_MS).unref());
    };
    every(() => {
      this.#heartbeats = this.#heartbeats.then(() => this.#sendHeartbeat());
    });
    every(() => void this.runOnce());
  }

  /** Stops and deregisters this process. A journal whose recovery is interrupted stays for other processes. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#runs;
    await this.#heartbeats;
    await deregister(this.#options.database, this.#options.instance).catch(this.#options.onFailure);
  }

  /**
   * Waits for the run in progress, then recovers journals and adopts orphans. Failures are reported and retried in the next
   * run.
   */
  async runOnce(): Promise<void> {
    this.#runs = this.#runAfter(this.#runs);
    await this.#runs;
  }

  async #runAfter(previous: Promise<void>): Promise<void> {
    await previous;
    // Separate tasks: an unreadable journal must not prevent the adoption of rows whose journals are on other disks.
    await this.#runTask(() => this.#recoverJournals());
    await this.#runTask(() => this.#adoptOrphans());
  }

  async #runTask(task: () => Promise<void>): Promise<void> {
    if (this.#isStopping) return;
    await task().catch((error: unknown) => {
      if (!this.#isStopping) this.#options.onFailure(error);
    });
  }

  async #sendHeartbeat(): Promise<void> {
    if (this.#isStopping) return;
    const at = this.#now();
    try {
      const databaseAt = await heartbeat(this.#options.database, this.#options.instance);
      // When the database's clock jumps, live processes appear dead until their next heartbeat.
      if (this.#lastHeartbeat && hasJumped(this.#lastHeartbeat, { at, databaseAt }))
        this.#beatingSince = undefined;
      this.#beatingSince ??= at;
      this.#lastHeartbeat = { at, databaseAt };
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

  async #recoverJournals(): Promise<void> {
    const { directory, instance, onRecovered } = this.#options;
    const result = await recoverJournals(directory, instance, {
      write: (rows) => this.#writeRecovered(rows),
      onComplete: (dead) => this.#releaseLeases(dead),
    });
    if (result.instances > 0) onRecovered(result);
  }

  /** Releases the money of a dead process, unless the database has a request whose end was lost with the journal. */
  async #releaseLeases(dead: string): Promise<void> {
    const { database } = this.#options;
    if (!(await hasOpenRequests(database.kysely, dead))) await releaseLeases(database, dead);
  }

  async #writeRecovered(rows: readonly RequestRow[]): Promise<number> {
    if (this.#isStopping) throw new Error("the process is shutting down");
    const { write, onUnknown, onExpired, readRetentionCutoff } = this.#options;
    const keptSince = await readRetentionCutoff();
    const kept = rows.filter(({ started_at }) => started_at >= keptSince);
    if (kept.length < rows.length) onExpired(rows.length - kept.length);
    const written = await write(kept);
    // Reports only rows that were written: for most requests that have no end in the journal, the database already has the
    // final row.
    onUnknown(written.filter(({ state }) => state === STATE.unknown));
    return written.length;
  }

  async #adoptOrphans(): Promise<void> {
    // After a database outage, all heartbeats are old. Live processes need time to send their next heartbeat.
    if (this.#beatingSince === undefined || this.#now() - this.#beatingSince < DEAD_AFTER_MS) return;
    const { database, lostAfterMs, onUnknown } = this.#options;
    const silence = { deadAfterMs: DEAD_AFTER_MS, lostAfterMs: Math.max(lostAfterMs, LOST_AFTER_MIN_MS) };
    onUnknown(await adoptOrphans(database, silence));
  }
}

function hasJumped(previous: Heartbeat, current: Heartbeat): boolean {
  const jumpMs = current.databaseAt - previous.databaseAt - (current.at - previous.at);
  return Math.abs(jumpMs) > CLOCK_JUMP_MS;
}
