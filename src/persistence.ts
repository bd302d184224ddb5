import type { Logger } from "pino";
import type { Config, StoreConfig } from "./config/config.ts";
import { KeyCache } from "./auth/key-cache.ts";
import type { IssuedKey } from "./keys/managed-key.ts";
import { KeyService } from "./keys/key-service.ts";
import { UsageRecorder } from "./metering/usage-recorder.ts";
import { Checkpoints } from "./store/checkpoints.ts";
import { type Database, openDatabase } from "./store/database.ts";
import { createKeySource } from "./keys/key-source.ts";
import { Retention } from "./metering/sql/retention.ts";
import { createGenerationFinder } from "./upstream/generation.ts";
import type { Upstream } from "./upstream/openrouter.ts";

const TRY_AGAIN_MS = 2_000;
/** Every request waits with SQLite, and all that the gateway writes can be written a moment later. */
const BUSY_TIMEOUT_MS = 20;
const DAY_MS = 86_400_000;

/** The keys of a gateway that nobody could use otherwise, made when it first starts. */
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
}

/** Keys and ledger, and the database under them. */
export class Persistence {
  readonly database: Database;
  readonly keys: KeyService;
  readonly keyCache: KeyCache;
  readonly recorder: UsageRecorder;
  readonly #retention: Retention;
  /** undefined: it is PostgreSQL, which makes its own. */
  readonly #checkpoints: Checkpoints | undefined;
  readonly #options: PersistenceOptions;
  #ready = false;
  #retry: NodeJS.Timeout | undefined = undefined;
  #opening: Promise<void> = Promise.resolve();

  /** @throws when the data directory cannot be used. */
  constructor(options: PersistenceOptions) {
    const { config, store, openrouterApiKey, upstream, logger } = options;
    this.#options = options;
    try {
      this.database = openDatabase({ ...store, busyTimeoutMs: BUSY_TIMEOUT_MS }, (error) =>
        logger.warn({ err: error }, "a connection to the database was lost"),
      );
      for (const file of this.database.exposedFiles)
        logger.warn({ file }, "sqlite: file can be used by others, and its mode cannot be changed");
      this.recorder = new UsageRecorder({
        ...config.ledger,
        database: this.database,
        dataDir: store.dataDir,
        isDataDirPersistent: store.isDataDirPersistent,
        readRetentionCutoff: () => this.#retention.deletedBefore(),
        findGeneration: createGenerationFinder(upstream, `Bearer ${openrouterApiKey}`),
        logger,
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`the directory ${store.dataDir} (DATA_DIR) cannot be used: ${reason}`, { cause });
    }
    this.keys = new KeyService(this.database);
    this.keyCache = new KeyCache({
      source: createKeySource(this.database, store.databaseUrl),
      graceMs: store.outageGraceMs,
      onHealth: (healthy, error) => {
        if (healthy) logger.info("keys are followed again");
        else logger.error({ err: error }, "keys cannot be followed; those that are known go on");
      },
      onReplaced: () => logger.warn("keys: database was restored or replaced, all keys are read again"),
    });
    this.#retention = this.#createRetention();
    const { sqlite } = this.database;
    this.#checkpoints =
      sqlite &&
      new Checkpoints(sqlite, (error) =>
        logger.warn(
          { err: error },
          "SQLite's log is not brought to its file; requests may have to wait for it",
        ),
      );
  }

  /** Opens them. While the database does not answer it is tried again, and the gateway is not ready. */
  async open(): Promise<void> {
    this.#opening = this.#tryToOpen();
    await this.#opening;
  }

  /** Whether the database was opened and takes what it is given. */
  async isHealthy(): Promise<boolean> {
    return this.#ready && this.recorder.isHealthy && this.database.isReachable();
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    await this.#opening;
    await this.#retention.stop();
    await this.keyCache.stop();
    await this.recorder.close();
    await this.#checkpoints?.stop();
    await this.database.close();
  }

  #createRetention(): Retention {
    const { config, logger } = this.#options;
    return new Retention({
      database: this.database,
      keepMs: config.ledger.retentionDays * DAY_MS,
      onFailure: (error) =>
        logger.warn({ err: error }, "old rows of the ledger could not be deleted; they will be"),
      onClockAhead: ({ now, trusted }) =>
        logger.error(
          { aheadMs: now - trusted },
          "ledger: clock went far forward, rows past LEDGER_RETENTION_DAYS are deleted slowly; check the clock",
        ),
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
      this.#checkpoints?.start();
      this.#ready = true;
    } catch (error) {
      logger.error({ err: error }, "the database cannot be opened; trying again");
      this.#retry = setTimeout(() => {
        this.#opening = this.#tryToOpen();
      }, TRY_AGAIN_MS);
    }
  }
}
