import { accessSync, constants, existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Config, StoreConfig } from "../config/config.ts";
import { BACKLOG_MAX, readLedgerBacklog } from "../metering/sql/ledger-backlog.ts";
import { countInstances } from "../metering/sql/instances.ts";
import { ALIVE_MS } from "../metering/replica-count.ts";
import { getSqlitePath } from "../store/database.ts";
import {
  type InspectedDatabase,
  inspectDatabase,
  measureQueries,
  readSchemaState,
} from "../store/database-inspection.ts";
import { readDatabaseTime } from "../store/database-time.ts";
import { checkClock } from "./clock.ts";
import { failed, ok, type Result, skipped, warning } from "./finding.ts";
import { describeError, findMedian, formatMs } from "./finding-text.ts";
import { checkPostgres, createPostgresRemedy } from "./postgres.ts";

const QUERIES = 5;
/** The ledger and key lookups wait for the database, so a slower one delays requests of new keys noticeably. */
const SLOW_QUERY_MS = 50;

/** Checks the database of the configuration. Nothing in it is changed, and nothing is created. */
export async function checkDatabase(config: Config, signal: AbortSignal): Promise<Result[]> {
  const { store } = config;
  if (!store) return [skipped("The gateway has no database in this configuration.")];
  const unusable = store.databaseUrl === undefined ? checkSqliteFiles(store) : undefined;
  if (unusable) return [unusable];
  let database: InspectedDatabase | undefined;
  const close = (): void => void database?.close().catch(() => {});
  signal.addEventListener("abort", close);
  try {
    database = inspectDatabase(store);
    const latency = await checkLatency(database, store);
    return [latency, ...(await checkContents(database, config))];
  } catch (error) {
    return [createUnusableFinding(store, error)];
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/** Checks existence and rights of the SQLite files. @returns undefined if they can be opened. */
function checkSqliteFiles({ dataDir }: StoreConfig): Result | undefined {
  const path = resolve(getSqlitePath(dataDir));
  try {
    // Throws without the right to search the directory. `existsSync` would return false then.
    if (!statSync(path, { throwIfNoEntry: false }))
      return warning(
        `The database ${path} does not exist.`,
        "The first start of the gateway creates it. If the gateway has run before, DATA_DIR names another directory, or a volume is not mounted.",
      );
    for (const file of [path, `${path}-wal`, `${path}-shm`])
      if (existsSync(file)) accessSync(file, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return failed(
      `The user that runs doctor cannot read and write the database: ${describeError(error)}.`,
      `Give the files to the user that runs the gateway, with mode 600: chown USER ${path}* && chmod 600 ${path}*. If the file system is read-only, mount a writable one.`,
    );
  }
}

function createUnusableFinding({ databaseUrl }: StoreConfig, error: unknown): Result {
  return failed(
    `The database is unusable: ${describeError(error)}.`,
    databaseUrl === undefined
      ? "Restore the file from a backup if it is damaged (docs/operations/backup.md), or stop the process that locks it."
      : createPostgresRemedy(error),
  );
}

async function checkLatency(database: InspectedDatabase, store: StoreConfig): Promise<Result> {
  const median = findMedian(await measureQueries(database, QUERIES));
  const name = store.databaseUrl === undefined ? "SQLite" : "PostgreSQL";
  const facts = `${name} responds to a query in ${formatMs(median)} (median of ${QUERIES}).`;
  return median <= SLOW_QUERY_MS
    ? ok(facts)
    : warning(
        facts,
        "Run the database near the gateways, in the same region and network, and look for load on it.",
      );
}

async function checkContents(database: InspectedDatabase, config: Config): Promise<Result[]> {
  const { missing, unknown } = await readSchemaState(database);
  const server = database.sqlite ? [] : [await checkDatabaseClock(database)];
  if (unknown.length > 0)
    return [
      ...server,
      failed(
        `A newer version of Sluice has migrated this database (${unknown.join(", ")}); this version cannot use it.`,
        "Run the newer version, or restore the backup from before the upgrade (docs/operations/upgrade.md).",
      ),
    ];
  const isComplete = missing.length === 0;
  const schema = isComplete
    ? ok("The schema is that of this version.")
    : ok(
        `The schema lacks ${missing.length} migration(s) of this version, which the gateway makes when it starts.`,
      );
  // Tables of an older schema may lack what the queries read.
  const instances = isComplete ? await countInstances(database, ALIVE_MS) : 0;
  return [
    ...server,
    schema,
    ...(database.sqlite ? [] : await checkPostgres(database, instances)),
    ...(await checkWriting(database, instances)),
    ...(isComplete ? [checkReplicas(config, instances), ...(await checkLedger(database, config))] : []),
  ];
}

async function checkDatabaseClock(database: InspectedDatabase): Promise<Result> {
  const sentAt = Date.now();
  const time = await readDatabaseTime(database);
  return checkClock("the database", { time, sentAt, receivedAt: Date.now(), resolutionMs: 1 });
}

/** Tries to write. A SQLite file is locked only while a gateway has it open: otherwise the lock would change files. */
async function checkWriting(database: InspectedDatabase, instances: number): Promise<Result[]> {
  if (database.sqlite && instances === 0) return [];
  const startedAt = performance.now();
  try {
    await database.tryWrite();
  } catch (error) {
    return [
      failed(
        `The database does not accept writes: ${describeError(error)}.`,
        database.sqlite
          ? "Stop the process that holds the lock, such as a backup or a shell of sqlite3 with an open transaction."
          : "Set DATABASE_URL to the primary server, and look for default_transaction_read_only.",
      ),
    ];
  }
  return [
    ok(
      `The database accepts writes; a transaction that was rolled back took ${formatMs(performance.now() - startedAt)}.`,
    ),
  ];
}

function checkReplicas({ redisUrl, store }: Config, instances: number): Result {
  const facts = `${instances} gateway(s) sent a heartbeat to this database within the last minute`;
  if (instances > 1 && store?.databaseUrl === undefined)
    return failed(
      `${facts}, and it is a SQLite file.`,
      "Run one gateway per SQLite file, or use PostgreSQL (DATABASE_URL).",
    );
  if (instances > 1 && redisUrl === undefined)
    return warning(
      `${facts}, and REDIS_URL is not set: each of them counts rate limits by itself, so that clients get ${instances} times the limit.`,
      "Set REDIS_URL of all gateways to the same Redis.",
    );
  return ok(`${facts}.`);
}

async function checkLedger(database: InspectedDatabase, { ledger }: Config): Promise<Result[]> {
  const { sqlite, kysely } = database;
  const { oldestPendingMs, unknown } = await readLedgerBacklog({ sqlite, reader: kysely });
  const results: Result[] = [];
  if (oldestPendingMs > ledger.settleGiveUpMs)
    results.push(
      warning(
        `A request has waited for its cost for ${formatMs(oldestPendingMs)}, longer than SETTLE_GIVE_UP_MS.`,
        'Start a gateway, which looks costs up. If one runs, its log has the reason: look for "ledger: cost lookup failed, will retry".',
      ),
    );
  if (unknown > 0)
    results.push(
      warning(
        `The cost of ${unknown}${unknown === BACKLOG_MAX ? " or more" : ""} request(s) is unknown, and the gateways no longer look it up.`,
        "Run npm run sluice -- reconcile, which asks OpenRouter again (docs/operations/reconcile.md). Raise DISCONNECT_HEAD_WAIT_MS if clients often disconnect early.",
      ),
    );
  return results.length > 0 ? results : [ok("The ledger has no request with an overdue or unknown cost.")];
}
