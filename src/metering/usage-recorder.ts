import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { GatewayError } from "../errors.ts";
import type { RequestContext } from "../http/request-context.ts";
import type { Database } from "../store/database.ts";
import { isAboveReservation, type RequestRow, toRowIdPrefix } from "./record.ts";
import { writeRequests } from "./sql/upsert.ts";
import type { Reservation } from "../budgets/reservation.ts";
import { isInvalidRow } from "../store/database-errors.ts";
import type { FindGeneration } from "./cost-lookup.ts";
import { RequestEntry, type RequestEntryOptions } from "./request-entry.ts";
import { OrphanRecovery } from "./orphan-recovery.ts";
import { Journal, JournalFull } from "./journal/journal.ts";
import type { LedgerQueue, LedgerTotals } from "./ledger-totals.ts";
import { toStartEntry } from "./request-row.ts";
import { CostReconciler } from "./cost-reconciler.ts";
import { createQuarantiningWriter, type WriteRows } from "./quarantining-writer.ts";
import { BatchWriter } from "./batch-writer.ts";

export interface UsageRecorderOptions {
  readonly database: Database;
  /** The journal of this process is in its subdirectory `journal`. */
  readonly dataDir: string;
  /** Whether that directory outlives the process, so that another process can recover the journal. */
  readonly isDataDirPersistent: boolean;
  readonly journalMaxBytes: number;
  readonly findGeneration: FindGeneration;
  readonly settleAfterMs: number;
  readonly settleGiveUpMs: number;
  /** Reads the time, in ms since 1970, before which rows have been counted and deleted. Absent if rows are never deleted. */
  readonly readRetentionCutoff?: () => Promise<number>;
  /** Called with the row of a request that cost more than was reserved for it in hard budgets. */
  readonly onOverrun?: (row: RequestRow) => void;
  /**
   * Called once with the final row of a request whose cost this process has looked up after the request had ended. The cost
   * is null if the lookups were given up.
   */
  readonly onSettledLater?: ((row: RequestRow) => void) | undefined;
  readonly logger: Logger;
}

/**
 * Creates a record for every admitted request before the first byte is sent upstream. The request's context has the record
 * as its `meter` and completes the record when the request ends. The record is settled with the cost that OpenRouter states.
 * A request waits only until two lines are written to the local journal; the record is written to the database later.
 */
export class UsageRecorder {
  readonly #options: UsageRecorderOptions;
  /** Distinguishes the ids of this process from those of other processes. */
  readonly #idSuffix: string;
  readonly #instance: string;
  readonly #journal: Journal;
  readonly #writer: BatchWriter;
  readonly #reconciler: CostReconciler;
  readonly #orphanRecovery: OrphanRecovery;
  readonly #entryOptions: RequestEntryOptions;
  readonly #totals: LedgerTotals = { unknownCosts: 0, overruns: 0, quarantinedRows: 0 };
  #idCount = 0;
  /** Cached prefix of the ids of the current millisecond: a busy gateway creates several ids per millisecond. */
  #idPrefix = { ms: -1, text: "" };
  #started = false;

  /** @throws if the journal cannot be created. */
  constructor(options: UsageRecorderOptions) {
    const { dataDir, journalMaxBytes, settleAfterMs } = options;
    this.#options = options;
    this.#idSuffix = randomBytes(4).toString("hex");
    this.#instance = toRowIdPrefix(Date.now()) + this.#idSuffix;
    this.#journal = new Journal(join(dataDir, "journal"), this.#instance, journalMaxBytes);
    const write = this.#createWrite();
    this.#writer = this.#createBatchWriter(write);
    this.#reconciler = this.#createReconciler();
    this.#orphanRecovery = this.#createOrphanRecovery(write);
    this.#entryOptions = {
      journal: this.#journal,
      settleAfterMs,
      onChange: (entry) => this.#writer.enqueue(entry),
      onUnknown: (row) => this.#reportUnknown([row]),
    };
  }

  #createWrite(): WriteRows {
    const { database, logger } = this.#options;
    return createQuarantiningWriter({
      write: async (rows) => {
        const changed = await writeRequests(database, rows);
        this.#reportOverruns(changed);
        return changed;
      },
      isInvalidRow,
      quarantine: (row, error) => {
        this.#journal.quarantine(row);
        this.#totals.quarantinedRows++;
        logger.error({ err: error, row: row.id }, "ledger: database rejected a row, quarantined it");
      },
    });
  }

  #createBatchWriter(write: WriteRows): BatchWriter {
    const { isDataDirPersistent, logger } = this.#options;
    return new BatchWriter({
      journal: this.#journal,
      isJournalPersistent: isDataDirPersistent,
      write,
      onDamagedLines: (damagedLines) => reportDamage(logger, { damagedLines }),
      onHealth: (isHealthy, error) => {
        if (isHealthy) logger.info("ledger: writes recovered");
        else logger.error({ err: error }, "ledger: writes failed, rows are kept in the journal");
      },
    });
  }

  #createReconciler(): CostReconciler {
    const { database, findGeneration, settleAfterMs, settleGiveUpMs, onSettledLater, logger } = this.#options;
    return new CostReconciler({
      database,
      findGeneration,
      settleAfterMs,
      giveUpMs: settleGiveUpMs,
      onUnknown: (row) => {
        this.#reportUnknown([row]);
        onSettledLater?.(row);
      },
      onSettled: (row) => {
        this.#reportOverruns([row]);
        onSettledLater?.(row);
      },
      onFailure: (error, count) =>
        logger.warn({ err: error, count }, "ledger: cost lookup failed, will retry"),
    });
  }

  #createOrphanRecovery(write: WriteRows): OrphanRecovery {
    const { database, logger, settleGiveUpMs, readRetentionCutoff } = this.#options;
    return new OrphanRecovery({
      database,
      write,
      directory: this.#journal.directory,
      instance: this.#instance,
      lostAfterMs: settleGiveUpMs,
      readRetentionCutoff: readRetentionCutoff ?? (() => Promise.resolve(-Infinity)),
      onExpired: (count) =>
        logger.warn({ count }, "journal: entries older than LEDGER_RETENTION_DAYS skipped"),
      onClockSkew: (aheadMs) =>
        logger.error({ aheadMs }, "ledger: machine clock differs from database clock"),
      onUnknown: (rows) => this.#reportUnknown(rows),
      onRecovered: (result) => {
        logger.warn(result, "journal: recovered requests of a terminated process");
        if (result.damagedLines > 0) reportDamage(logger, result);
      },
      onFailure: (error) => logger.warn({ err: error }, "ledger: heartbeat or recovery failed, will retry"),
    });
  }

  /** Starts to reconcile costs and to recover the records of dead processes. The database must already be migrated. */
  start(): void {
    this.#started = true;
    this.#orphanRecovery.start();
    this.#reconciler.start();
  }

  /** The id of this process in the ledger. */
  get instance(): string {
    return this.#instance;
  }

  /** Whether the last write to the database succeeded. */
  get isHealthy(): boolean {
    return this.#writer.isHealthy;
  }

  /** Whether rows of ended requests wait in the journal until they can be written to the database. */
  get hasUnwrittenRows(): boolean {
    return this.#journal.hasSpilled;
  }

  /** Whether the journal accepts new requests. If not, the gateway rejects every request. */
  canBegin(): boolean {
    return this.#journal.isWritable();
  }

  /** Events since the start of the process. */
  get totals(): Readonly<LedgerTotals> {
    return this.#totals;
  }

  /** Measures what is not in the database yet. */
  get queue(): LedgerQueue {
    const { sizeBytes, maxBytes } = this.#journal;
    return { rows: this.#writer.waitingRows, journalBytes: sizeBytes, journalMaxBytes: maxBytes };
  }

  /** Whether OpenRouter responded to the last cost lookup. */
  get isReconcilerHealthy(): boolean {
    return this.#reconciler.isHealthy;
  }

  /**
   * Creates the record of a request and sets it as the `meter` of the request's context. The request must not be sent
   * upstream before `onBegun` is called.
   * @param onBegun called in this turn of the event loop, with an error for the client if the request must not be sent.
   * @param reservation the money that budgets hold for the request. If the request must not be sent, it is cancelled here.
   */
  begin(
    context: RequestContext,
    onBegun: (error: GatewayError | undefined) => void,
    reservation?: Reservation,
  ): void {
    const startedAt = reservation?.admittedAt ?? Date.now();
    const startEntry = toStartEntry(context, { id: this.#createId(startedAt), startedAt, reservation });
    try {
      const segment = this.#journal.recordStart(startEntry, (error) => {
        if (error) this.#withdraw(context, entry);
        else this.#writer.enqueue(entry);
        onBegun(error && createUnrecordedError(error));
      });
      const entry = new RequestEntry({ startEntry, segment, reservation }, this.#entryOptions);
      context.meter = entry;
    } catch (error) {
      reservation?.cancel();
      if (!(error instanceof JournalFull)) throw error;
      onBegun(createUnrecordedError(error));
    }
  }

  #createId(ms: number): string {
    if (this.#idPrefix.ms !== ms) this.#idPrefix = { ms, text: toRowIdPrefix(ms) + this.#idSuffix };
    return this.#idPrefix.text + (this.#idCount++).toString(36);
  }

  /**
   * Discards the record of a request that must not be sent, unless the client's disconnect has already completed the record.
   */
  #withdraw(context: RequestContext, entry: RequestEntry): void {
    if (entry.hasEnded) return;
    context.meter = undefined;
    entry.withdraw();
  }

  /** Reports settled requests that cost more than was reserved for them. */
  #reportOverruns(rows: readonly RequestRow[]): void {
    for (const row of rows) {
      if (!isAboveReservation(row)) continue;
      this.#totals.overruns++;
      this.#options.onOverrun?.(row);
    }
  }

  #reportUnknown(rows: readonly RequestRow[]): void {
    this.#totals.unknownCosts += rows.length;
    for (const { id, request_id, generation_id, key_name } of rows)
      this.#options.logger.error(
        { row: id, request_id, generation_id, key: key_name },
        "ledger: cost of a request is unknown",
      );
  }

  /**
   * Writes all records to the database. If that fails, they stay in the journal until another process recovers it.
   * @param returnLeases returns the money of the leases of this process, after its records are written. If that fails, the
   *   lock file of the journal stays, so that another process returns the money.
   */
  async close(returnLeases: () => Promise<boolean> = () => Promise.resolve(true)): Promise<void> {
    // Writes the rows of ended requests while the reconciler may still be waiting for upstream.
    const stopped = this.#reconciler.stop();
    await this.#writer.close();
    await stopped;
    if (this.#started) await this.#orphanRecovery.stop();
    this.#journal.close(await returnLeases());
  }
}

function createUnrecordedError(error: Error): GatewayError {
  return new GatewayError(
    "store_unavailable",
    "The gateway cannot record requests in its ledger at the moment. Try again later.",
    {
      headers: { "retry-after": "5" },
      cause: error.cause ?? error,
    },
  );
}

/** Logs damaged lines as an error: each may have been the only entry of a request. Their files are kept for the operator. */
function reportDamage(logger: Logger, found: { readonly damagedLines: number }): void {
  logger.error(found, "journal: damaged lines, requests may be missing from the ledger");
}
