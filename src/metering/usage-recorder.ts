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
  /** Below it stands the journal of this process. */
  readonly dataDir: string;
  /** Whether that directory outlives the process, so that another one recovers the journal. */
  readonly isDataDirPersistent: boolean;
  readonly journalMaxBytes: number;
  readonly findGeneration: FindGeneration;
  readonly settleAfterMs: number;
  readonly settleGiveUpMs: number;
  /** Rows that began before this time, in ms since 1970, have been deleted and counted; absent: none are deleted. */
  readonly readRetentionCutoff?: () => Promise<number>;
  readonly logger: Logger;
}

/**
 * The account of every request: a row for each that is admitted, from before the first byte goes upstream until its cost
 * is OpenRouter's own figure. What it does for a request is to write two lines of a local file; the rest comes after.
 */
export class UsageRecorder {
  readonly #options: UsageRecorderOptions;
  /** What tells ids of this process from those of others. */
  readonly #suffix: string;
  readonly #instance: string;
  readonly #journal: Journal;
  readonly #writer: BatchWriter;
  readonly #reconciler: CostReconciler;
  readonly #orphanRecovery: OrphanRecovery;
  readonly #entryOptions: RequestEntryOptions;
  #count = 0;
  /** What ids begin with in this ms: a busy gateway begins several requests in one. */
  #prefix = { ms: -1, text: "" };
  #started = false;

  /** @throws when the journal cannot be made. */
  constructor(options: UsageRecorderOptions) {
    const { database, logger, dataDir, findGeneration, settleAfterMs, settleGiveUpMs } = options;
    this.#options = options;
    this.#suffix = randomBytes(4).toString("hex");
    this.#instance = toRowIdPrefix(Date.now()) + this.#suffix;
    this.#journal = new Journal(join(dataDir, "journal"), this.#instance, options.journalMaxBytes);
    const write = createQuarantiningWriter({
      write: (rows) => writeRequests(database, rows),
      isInvalidRow,
      quarantine: (row, error) => {
        this.#journal.quarantine(row);
        logger.error(
          { err: error, row: row.id },
          "the database refuses a row of the ledger; it is kept aside",
        );
      },
    });
    this.#writer = new BatchWriter({
      journal: this.#journal,
      isJournalPersistent: options.isDataDirPersistent,
      write,
      onDamagedLines: (damagedLines) => reportDamage(logger, { damagedLines }),
      onHealth: (healthy, error) => {
        if (healthy) logger.info("the ledger is written again");
        else logger.error({ err: error }, "rows of the ledger cannot be written; they are kept");
      },
    });
    this.#reconciler = new CostReconciler({
      database,
      findGeneration,
      settleAfterMs,
      giveUpMs: settleGiveUpMs,
      onUnknown: (row) => warnOfUnknown(logger, [row]),
      onFailure: (error, count) =>
        logger.warn({ err: error, count }, "ledger: cost lookup failed, will retry"),
    });
    this.#orphanRecovery = this.#createOrphanRecovery(write);
    this.#entryOptions = {
      journal: this.#journal,
      settleAfterMs,
      onChange: (entry) => this.#writer.enqueue(entry),
      onUnknown: (row) => warnOfUnknown(logger, [row]),
    };
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
      onUnknown: (rows) => warnOfUnknown(logger, rows),
      onRecovered: (found) => {
        logger.warn(found, "requests of a process that died were taken over");
        if (found.damagedLines > 0) reportDamage(logger, found);
      },
      onFailure: (error) =>
        logger.warn({ err: error }, "the ledger could not be looked after; it will be again"),
    });
  }

  /** Begins to settle what this process and others leave without a bill. The database has to have its schema. */
  start(): void {
    this.#started = true;
    this.#orphanRecovery.start();
    this.#reconciler.start();
  }

  /** Whether the database takes what it is given. */
  get isHealthy(): boolean {
    return this.#writer.isHealthy;
  }

  /** Whether the journal takes new requests. Without it, every request is refused. */
  canBegin(): boolean {
    return this.#journal.isWritable();
  }

  /** Whether OpenRouter answered the last look-up of a missing cost. */
  get isReconcilerHealthy(): boolean {
    return this.#reconciler.isHealthy;
  }

  /**
   * Begins the account of a request. Nothing of it may be sent upstream before it is kept.
   * @param kept told in this turn of the event loop, with the error to answer if it cannot be kept.
   */
  begin(context: RequestContext, kept: (error: GatewayError | undefined) => void): void {
    const startedAt = Date.now();
    const startEntry = toStartEntry(context, this.#idFor(startedAt), startedAt);
    try {
      const segment = this.#journal.recordStart(startEntry, (error) => {
        if (error) this.#withdraw(context, entry);
        else this.#writer.enqueue(entry);
        kept(error && notAccountable(error));
      });
      const entry = new RequestEntry(startEntry, segment, this.#entryOptions);
      context.meter = entry;
    } catch (error) {
      if (!(error instanceof JournalFull)) throw error;
      kept(notAccountable(error));
    }
  }

  #idFor(ms: number): string {
    if (this.#prefix.ms !== ms) this.#prefix = { ms, text: toRowIdPrefix(ms) + this.#suffix };
    return this.#prefix.text + (this.#count++).toString(36);
  }

  /** A request that could not be begun. If its caller has left meanwhile, it has a row all the same. */
  #withdraw(context: RequestContext, entry: RequestEntry): void {
    if (entry.hasEnded) return;
    context.meter = undefined;
    entry.release();
  }

  /** Ends the record of a request that has ended; does nothing if it has none, or it has ended already. */
  end(context: RequestContext): void {
    context.meter?.end(context);
  }

  /** Brings everything to the database; what it does not take stays in the journal for the next process. */
  async close(): Promise<void> {
    // The one waits for upstream, and what is finished must not wait for that.
    const settled = this.#reconciler.stop();
    await this.#writer.close();
    await settled;
    if (this.#started) await this.#orphanRecovery.stop();
    this.#journal.close();
  }
}

function notAccountable(error: Error): GatewayError {
  return new GatewayError(
    "store_unavailable",
    "The gateway cannot account for requests now; try again later.",
    {
      headers: { "retry-after": "5" },
      cause: error.cause ?? error,
    },
  );
}

/** A line that cannot be read may be all that there was of a request. Its file is kept, and a person has to look at it. */
function reportDamage(logger: Logger, found: { readonly damagedLines: number }): void {
  logger.error(
    found,
    "journal: damaged lines, requests may be missing from the ledger; see the .damaged files",
  );
}

function warnOfUnknown(logger: Logger, rows: readonly RequestRow[]): void {
  for (const { id, request_id, generation_id, key_name } of rows)
    logger.error(
      { row: id, request_id, generation_id, key: key_name },
      "the cost of a request will not be known",
    );
}
