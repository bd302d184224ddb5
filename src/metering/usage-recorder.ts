import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Logger } from "pino";
import { GatewayError } from "../errors.ts";
import type { RequestContext } from "../http/request-context.ts";
import type { Database } from "../store/database.ts";
import { type RequestRow, toRowIdPrefix } from "./record.ts";
import { writeRequests } from "./sql/upsert.ts";
import { isInvalidRow } from "../store/database-errors.ts";
import type { FindGeneration } from "./cost-lookup.ts";
import { RequestEntry, type RequestEntryOptions } from "./request-entry.ts";
import { OrphanRecovery } from "./orphan-recovery.ts";
import { Journal, JournalFull } from "./journal/journal.ts";
import { toStartEntry } from "./request-row.ts";
import { CostReconciler } from "./cost-reconciler.ts";
import { createQuarantiningWriter, type WriteRows } from "./quarantining-writer.ts";
import { BatchWriter } from "./batch-writer.ts";

export interface UsageRecorderOptions {
  readonly database: Database;
  /** The journal of this process is in its subdirectory `journal`. */
  readonly dataDir: string;
  /** Whether that directory outlives the process, so that another one recovers the journal. */
  readonly isDataDirPersistent: boolean;
  readonly journalMaxBytes: number;
  readonly findGeneration: FindGeneration;
  readonly settleAfterMs: number;
  readonly settleGiveUpMs: number;
  /** Reads the time, in ms since 1970, before which rows have been deleted and counted; absent: none are deleted. */
  readonly readRetentionCutoff?: () => Promise<number>;
  readonly logger: Logger;
}

/**
 * Begins a record for every request that is admitted, before its first byte is sent upstream. The record ends with its
 * request, through the `meter` of the request's context, and is settled when its cost is OpenRouter's own figure. A request
 * waits for two lines of a local file; the database gets the record later.
 */
export class UsageRecorder {
  readonly #options: UsageRecorderOptions;
  /** Tells the ids of this process from those of others. */
  readonly #idSuffix: string;
  readonly #instance: string;
  readonly #journal: Journal;
  readonly #writer: BatchWriter;
  readonly #reconciler: CostReconciler;
  readonly #orphanRecovery: OrphanRecovery;
  readonly #entryOptions: RequestEntryOptions;
  #idCount = 0;
  /** The beginning of ids in this ms: a busy gateway begins several requests in one. */
  #idPrefix = { ms: -1, text: "" };
  #started = false;

  /** @throws when the journal cannot be made. */
  constructor(options: UsageRecorderOptions) {
    const { dataDir, journalMaxBytes, settleAfterMs, logger } = options;
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
      onUnknown: (row) => reportUnknown(logger, [row]),
    };
  }

  #createWrite(): WriteRows {
    const { database, logger } = this.#options;
    return createQuarantiningWriter({
      write: (rows) => writeRequests(database, rows),
      isInvalidRow,
      quarantine: (row, error) => {
        this.#journal.quarantine(row);
        logger.error(
          { err: error, row: row.id },
          "ledger: database rejected a row, set aside in a .refused file",
        );
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
        if (isHealthy) logger.info("ledger: rows can be written again");
        else logger.error({ err: error }, "ledger: rows cannot be written, kept in the journal");
      },
    });
  }

  #createReconciler(): CostReconciler {
    const { database, findGeneration, settleAfterMs, settleGiveUpMs, logger } = this.#options;
    return new CostReconciler({
      database,
      findGeneration,
      settleAfterMs,
      giveUpMs: settleGiveUpMs,
      onUnknown: (row) => reportUnknown(logger, [row]),
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
        logger.warn({ count }, "ledger: journal entries older than LEDGER_RETENTION_DAYS skipped"),
      onClockSkew: (aheadMs) =>
        logger.error({ aheadMs }, "ledger: this machine's clock differs from the database's, set it right"),
      onUnknown: (rows) => reportUnknown(logger, rows),
      onRecovered: (result) => {
        logger.warn(result, "journal: recovered requests of a process that died");
        if (result.damagedLines > 0) reportDamage(logger, result);
      },
      onFailure: (error) => logger.warn({ err: error }, "ledger: orphan recovery failed, will retry"),
    });
  }

  /** Begins to settle records whose cost is missing, of this process and of dead ones. The database has to have its schema. */
  start(): void {
    this.#started = true;
    this.#orphanRecovery.start();
    this.#reconciler.start();
  }

  /** Whether the database took the last rows. */
  get isHealthy(): boolean {
    return this.#writer.isHealthy;
  }

  /** Whether the journal takes new requests. Without it, every request is rejected. */
  canBegin(): boolean {
    return this.#journal.isWritable();
  }

  /** Whether OpenRouter answered the last lookup of a missing cost. */
  get isReconcilerHealthy(): boolean {
    return this.#reconciler.isHealthy;
  }

  /**
   * Begins the record of a request, which becomes the `meter` of its context. Nothing may be sent upstream before the callback.
   * @param onBegun called in this turn of the event loop, with an error for the client if the request must not be sent.
   */
  begin(context: RequestContext, onBegun: (error: GatewayError | undefined) => void): void {
    const startedAt = Date.now();
    const startEntry = toStartEntry(context, this.#createId(startedAt), startedAt);
    try {
      const segment = this.#journal.recordStart(startEntry, (error) => {
        if (error) this.#withdraw(context, entry);
        else this.#writer.enqueue(entry);
        onBegun(error && createUnrecordedError(error));
      });
      const entry = new RequestEntry(startEntry, segment, this.#entryOptions);
      context.meter = entry;
    } catch (error) {
      if (!(error instanceof JournalFull)) throw error;
      onBegun(createUnrecordedError(error));
    }
  }

  #createId(ms: number): string {
    if (this.#idPrefix.ms !== ms) this.#idPrefix = { ms, text: toRowIdPrefix(ms) + this.#idSuffix };
    return this.#idPrefix.text + (this.#idCount++).toString(36);
  }

  /** Drops the record of a request that must not be sent. If its client has disconnected meanwhile, it has a row all the same. */
  #withdraw(context: RequestContext, entry: RequestEntry): void {
    if (entry.hasEnded) return;
    context.meter = undefined;
    entry.release();
  }

  /** Writes all records to the database. Those that it does not take stay in the journal for the next process. */
  async close(): Promise<void> {
    // The reconciler may wait for upstream; the rows of requests that have ended must not.
    const stopped = this.#reconciler.stop();
    await this.#writer.close();
    await stopped;
    if (this.#started) await this.#orphanRecovery.stop();
    this.#journal.close();
  }
}

function createUnrecordedError(error: Error): GatewayError {
  return new GatewayError(
    "store_unavailable",
    "The gateway cannot account for requests now; try again later.",
    {
      headers: { "retry-after": "5" },
      cause: error.cause ?? error,
    },
  );
}

/** A line that cannot be read may have been the only one of its request. Its file is kept for a person to look at. */
function reportDamage(logger: Logger, found: { readonly damagedLines: number }): void {
  logger.error(
    found,
    "journal: damaged lines, requests may be missing from the ledger; see the .damaged files",
  );
}

function reportUnknown(logger: Logger, rows: readonly RequestRow[]): void {
  for (const { id, request_id, generation_id, key_name } of rows)
    logger.error(
      { row: id, request_id, generation_id, key: key_name },
      "ledger: the cost of a request will not be known",
    );
}
