import type { Logger } from "pino";
import { BudgetAdmission } from "./budgets/budget-admission.ts";
import { SqlBudgetStore } from "./budgets/sql/sql-budget-store.ts";
import { readSpent } from "./metering/sql/budget-changes.ts";
import { createReplicaCount } from "./metering/replica-count.ts";
import type { Config, StoreConfig } from "./config/config.ts";
import { KeyCache } from "./auth/key-cache.ts";
import type { IssuedKey } from "./keys/managed-key.ts";
import { KeyService } from "./keys/key-service.ts";
import { UsageRecorder, type UsageRecorderOptions } from "./metering/usage-recorder.ts";
import { Checkpoints } from "./store/checkpoints.ts";
import { type Database, openDatabase } from "./store/database.ts";
import { createKeySource } from "./keys/key-source.ts";
import { Retention } from "./metering/sql/retention.ts";
import type { Alert } from "./alerts/alert.ts";
import { findRenewal } from "./budgets/budget-id.ts";
import type { RequestRow } from "./metering/record.ts";
import { AlertDelivery } from "./alerts/alert-delivery.ts";
import { enqueueAlert } from "./alerts/sql/enqueue-alert.ts";
import { createGenerationFinder } from "./upstream/generation.ts";
import { connectWebhook } from "./upstream/webhook.ts";
import type { Upstream } from "./upstream/openrouter.ts";
import { DAY_MS } from "./durations.ts";

const RETRY_AFTER_MS = 2_000;
/** This time is short because the main thread blocks while SQLite waits for a lock. A write that fails is retried later. */
const BUSY_TIMEOUT_MS = 20;

/** The author of changes of keys that budgets cause. */
const BUDGET_ACTOR = { actor: "budget", source: "gateway" };

/** The keys that a gateway creates at its first start, because without a key nobody could use it. */
export interface FirstKeys {
  readonly admin: IssuedKey;
  readonly caller: IssuedKey;
}

export interface PersistenceOptions {
  readonly config: Config;
  readonly store: StoreConfig;
  readonly openrouterApiKey: string;
  readonly upstream: Upstream;
  readonly logger: Logger;
  readonly onFirstKeys: (keys: FirstKeys) => void;
  /** See `UsageRecorderOptions`. */
  readonly onSettledLater?: UsageRecorderOptions["onSettledLater"];
}

/** Opens and closes the database with the keys and the ledger in it. */
export class Persistence {
  readonly database: Database;
  readonly keys: KeyService;
  readonly keyCache: KeyCache;
  readonly recorder: UsageRecorder;
  readonly budgets: BudgetAdmission;
  readonly #retention: Retention;
  readonly #alerts: AlertDelivery;
  /** undefined with PostgreSQL, which runs its own checkpoints. */
  readonly #checkpoints: Checkpoints | undefined;
  readonly #options: PersistenceOptions;
  /** Requests that cost more than was reserved for them, while their keys are being blocked. */
  readonly #overruns = new Set<Promise<void>>();
  #isOpen = false;
  #retryTimer: NodeJS.Timeout | undefined = undefined;
  #opening: Promise<void> = Promise.resolve();

  /** @throws if the data directory cannot be used. */
  constructor(options: PersistenceOptions) {
    const { config, store, openrouterApiKey, upstream, logger } = options;
    this.#options = options;
    try {
      this.database = openDatabase({ ...store, busyTimeoutMs: BUSY_TIMEOUT_MS }, (error) =>
        logger.warn({ err: error }, "database: connection lost"),
      );
      for (const file of this.database.exposedFiles)
        logger.warn({ file }, "sqlite: other users can access a file, chmod failed");
      this.recorder = new UsageRecorder({
        ...config.ledger,
        database: this.database,
        dataDir: store.dataDir,
        isDataDirPersistent: store.isDataDirPersistent,
        readRetentionCutoff: () => this.#retention.deletedBefore(),
        findGeneration: createGenerationFinder(upstream, `Bearer ${openrouterApiKey}`),
        onOverrun: (row) => this.#trackOverrun(row),
        onSettledLater: options.onSettledLater,
        logger,
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`the directory ${store.dataDir} (DATA_DIR) cannot be used: ${reason}`, { cause });
    }
    this.keys = new KeyService(this.database);
    this.budgets = this.#createBudgets();
    this.keyCache = new KeyCache({
      source: createKeySource(this.database, store.databaseUrl),
      graceMs: store.outageGraceMs,
      onHealth: (isHealthy, error) => {
        if (isHealthy) logger.info("keys: synchronization recovered");
        else logger.error({ err: error }, "keys: synchronization failed, known keys stay valid");
      },
      onReplaced: () => logger.warn("keys: database was restored or replaced, reloading all keys"),
    });
    this.#retention = this.#createRetention();
    this.#alerts = this.#createAlertDelivery();
    const { sqlite } = this.database;
    this.#checkpoints =
      sqlite &&
      new Checkpoints(sqlite, (error) =>
        logger.warn({ err: error }, "sqlite: WAL checkpoint failed, requests may stall"),
      );
  }

  /**
   * Opens the database and starts the services that use it. Resolves even if the first attempt fails: the attempt is
   * repeated every 2 s, and the gateway is not ready until one succeeds.
   */
  async open(): Promise<void> {
    this.#opening = this.#tryToOpen();
    await this.#opening;
  }

  /** Whether the database is open, responds, and accepts the rows of the ledger. */
  async isHealthy(): Promise<boolean> {
    return this.#isOpen && this.recorder.isHealthy && this.database.isReachable();
  }

  async close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    await this.#opening;
    // Together: the last rows and leases must not wait for a receiver of alerts that does not respond.
    await Promise.all([
      this.#retention.stop(),
      this.#alerts.stop(),
      this.keyCache.stop(),
      this.recorder.close(() => this.budgets.close()),
    ]);
    await Promise.all(this.#overruns);
    await this.#checkpoints?.stop();
    await this.database.close();
  }

  #createBudgets(): BudgetAdmission {
    const { config, store, logger } = this.#options;
    return new BudgetAdmission({
      store: new SqlBudgetStore({
        database: this.database,
        databaseUrl: store.databaseUrl,
        instance: this.recorder.instance,
        readSpent,
        countReplicas: createReplicaCount(this.database),
      }),
      waitMs: config.budgetWaitMs,
      hasUnwrittenRows: () => this.recorder.hasUnwrittenRows,
      onFailure: (error) => logger.warn({ err: error }, "budgets: lease update failed, will retry"),
    });
  }

  /** Handles an overrun, which must end before the database is closed. */
  #trackOverrun(row: RequestRow): void {
    const handling = this.#handleOverrun(row).finally(() => this.#overruns.delete(handling));
    this.#overruns.add(handling);
  }

  /**
   * Blocks the key of a request that cost more than was reserved for it, until its budget renews: the next request could exceed
   * its reservation too. The transaction that settled the request has raised the alert.
   */
  async #handleOverrun(row: RequestRow): Promise<void> {
    const { logger } = this.#options;
    const { id, request_id, key_id, key_name, cost_nanodollars, reserved_nanodollars } = row;
    logger.error(
      { row: id, request_id, key: key_name, cost_nanodollars, reserved_nanodollars },
      "budgets: cost above reservation, key blocked",
    );
    try {
      await this.keys.block(key_id, findRenewal(row.reserved_in ?? "", row.started_at), BUDGET_ACTOR);
      this.keyCache.refresh();
    } catch (error) {
      logger.error({ err: error, key: key_name }, "budgets: key could not be blocked");
    }
  }

  /** Stores an alert that belongs to no other change of the database. */
  async raiseAlert(alert: Alert): Promise<void> {
    await enqueueAlert(this.database, this.database.kysely, alert);
  }

  #createRetention(): Retention {
    const { config, logger } = this.#options;
    return new Retention({
      database: this.database,
      keepMs: config.ledger.retentionDays * DAY_MS,
      onFailure: (error) => logger.warn({ err: error }, "ledger: deletion of old rows failed, will retry"),
      onClockAhead: ({ now, trusted }) =>
        logger.error({ aheadMs: now - trusted }, "ledger: clock jumped forward, deleting old rows slowly"),
    });
  }

  #createAlertDelivery(): AlertDelivery {
    const { config, logger } = this.#options;
    const { alertWebhook: webhook } = config;
    return new AlertDelivery({
      database: this.database,
      webhook: webhook && {
        endpoint: connectWebhook(webhook.url, webhook.proxyUrl),
        secret: webhook.secret,
      },
      logger,
    });
  }

  async #tryToOpen(): Promise<void> {
    const { config, logger, onFirstKeys } = this.#options;
    try {
      await this.database.migrate();
      if (config.gatewayKeys.length === 0 && !config.allowAnonymous) {
        const made = await this.keys.createFirstKeys({ actor: "first-start", source: "gateway" });
        if (made) onFirstKeys(made);
      }
      await this.keyCache.start();
      await this.#retention.start();
      this.recorder.start();
      this.#alerts.start();
      this.#checkpoints?.start();
      this.#isOpen = true;
    } catch (error) {
      logger.error({ err: error }, "database: open failed, will retry");
      this.#retryTimer = setTimeout(() => {
        this.#opening = this.#tryToOpen();
      }, RETRY_AFTER_MS);
    }
  }
}
