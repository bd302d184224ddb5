import type { Database } from "../store/database.ts";
import { adoptOrphans, heartbeat, deregister } from "./sql/instances.ts";
import { type RequestRow, STATE } from "./record.ts";
import { type RecoveryResult, recoverJournals } from "./journal/replay.ts";
import type { WriteRows } from "./quarantining-writer.ts";
import { HOUR_MS } from "../durations.ts";

const HEARTBEAT_EVERY_MS = 10_000;
/** A process without a heartbeat for this long counts as dead; should it live after all, its rows are still taken. */
const DEAD_AFTER_MS = 60_000;
/** By how much two clocks may differ over the time between two heartbeats; beyond it, one of them has jumped. */
const CLOCK_JUMP_MS = 30_000;
/** The clocks of machines differ by less when they are synchronized. */
const CLOCK_SKEW_MS = 60_000;
/** However soon costs are given up, a journal has this long to turn up, and a process to send a heartbeat after all. */
const LOST_AFTER_MIN_MS = HOUR_MS;

export interface OrphanRecoveryOptions {
  readonly database: Database;
  readonly write: WriteRows;
  /** Contains the journals of this process and of others. */
  readonly directory: string;
  readonly instance: string;
  /** When a row without a generation id is given up: until then a journal that has one can turn up, with its disk. */
  readonly lostAfterMs: number;
  /** Reads the time, in ms since 1970, before which rows have been deleted and counted; a journal may still have them. */
  readonly readRetentionCutoff: () => Promise<number>;
  readonly onUnknown: (rows: readonly RequestRow[]) => void;
  /** Called with the number of rows of a journal that were skipped because they had been deleted. */
  readonly onExpired: (count: number) => void;
  /** Called when this machine's clock begins to differ from the database's. @param aheadMs negative: it is behind. */
  readonly onClockSkew: (aheadMs: number) => void;
  readonly onRecovered: (result: RecoveryResult) => void;
  readonly onFailure: (error: unknown) => void;
  /** A clock in ms that never goes back. */
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
  /** Since when no heartbeat of this process has failed. */
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

  /** Starts, with a first run at once. The gateway does not wait for it: a long journal takes minutes. */
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

  /** Deregisters this process. A journal that is being recovered stays for others. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#runs;
    await this.#heartbeats;
    await deregister(this.#options.database, this.#options.instance).catch(this.#options.onFailure);
  }

  /** Recovers journals and adopts rows, after the run in progress. A failure is reported, and retried in the next run. */
  async runOnce(): Promise<void> {
    this.#runs = this.#runAfter(this.#runs);
    await this.#runs;
  }

  async #runAfter(previous: Promise<void>): Promise<void> {
    await previous;
    // Each by itself: a journal that cannot be read must not keep rows of other disks from being adopted.
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
      // When the database's clock jumps, live processes seem to be dead until their next heartbeat.
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
    const result = await recoverJournals(directory, instance, (rows) => this.#writeRecovered(rows));
    if (result.instances > 0) onRecovered(result);
  }

  async #writeRecovered(rows: readonly RequestRow[]): Promise<number> {
    if (this.#isStopping) throw new Error("the process stops");
    const { write, onUnknown, onExpired, readRetentionCutoff } = this.#options;
    const keptSince = await readRetentionCutoff();
    const kept = rows.filter(({ started_at }) => started_at >= keptSince);
    if (kept.length < rows.length) onExpired(rows.length - kept.length);
    const written = await write(kept);
    // The database has the final rows of most requests that have only started by the journal.
    onUnknown(written.filter(({ state }) => state === STATE.unknown));
    return written.length;
  }

  async #adoptOrphans(): Promise<void> {
    // After an outage of the database the last heartbeats of all processes are old: live ones need time for the next.
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
