import { type Environment, environmentSchema } from "./environment-schema.ts";
import { selectProxy } from "./upstream-proxy.ts";
import { type EnvironmentRecord, readSettings, readTextFile } from "./sources.ts";
import { splitList } from "./values.ts";
import { parseKeyList, type ConfiguredKey } from "./gateway-api-keys.ts";

/** By default one key may hold a sixteenth of the places when few are left: sixteen keys can share all of them. */
const PER_KEY_DIVISOR = 16;

/** Everything the gateway can be told from outside, checked and typed. Frozen; see `.env.example` for each name. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** The account's OpenRouter key. Absent: callers bring their own OpenRouter keys and those are forwarded. */
  readonly openrouterApiKey: string | undefined;
  readonly gatewayKeys: readonly ConfiguredKey[];
  readonly allowAnonymous: boolean;
  readonly upstream: UpstreamConfig;
  /** Where keys and the ledger are kept; undefined: nothing is. */
  readonly store: StoreConfig | undefined;
  readonly ledger: LedgerConfig;
  readonly rateLimit: { readonly max: number; readonly windowMs: number };
  readonly redisUrl: string | undefined;
  /** Addresses and networks whose `X-Forwarded-For` is believed. */
  readonly trustProxy: readonly string[];
  readonly bodyLimitBytes: number;
  /** How many bytes of request bodies the process holds at most. */
  readonly bodyMemoryBytes: number;
  readonly maxInFlight: number;
  /** How many chat completions one caller may have in flight when few places are left. */
  readonly maxInFlightPerKey: number;
  /** From the sending of a request to the end of its response. */
  readonly upstreamTotalTimeoutMs: number;
  readonly responseLimitBytes: number;
  /** Client connections; undefined: as many as the descriptor limit of the process allows. */
  readonly maxConnections: number | undefined;
  readonly clientStallTimeoutMs: number;
  /** How long an idle connection of a caller's is kept. */
  readonly keepAliveTimeoutMs: number;
  readonly drainMs: number;
  readonly shutdownGraceMs: number;
  readonly logLevel: string;
  readonly corsOrigins: readonly string[];
}

/** How OpenRouter is reached and how long each phase may take. */
export interface UpstreamConfig {
  /** Scheme, host and path such as `https://openrouter.ai/api/v1`, without a trailing slash. */
  readonly baseUrl: string;
  /** The http or https proxy on the way there, user name and password included; undefined: none. */
  readonly proxyUrl?: string | undefined;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Sent as `HTTP-Referer` and `X-Title` when the caller sends none. */
  readonly appUrl: string | undefined;
  readonly appTitle: string | undefined;
}

/** Where keys and the ledger are kept. */
export interface StoreConfig {
  /** Directory of the SQLite file and of the journal. */
  readonly dataDir: string;
  /** Whether the directory outlives the process and its container, and is mounted again by one that recovers the journal. */
  readonly isDataDirPersistent: boolean;
  /** `postgres://…`, in place of the SQLite file. */
  readonly databaseUrl: string | undefined;
  /** How long keys that are known go on being accepted while the database does not answer. */
  readonly outageGraceMs: number;
}

/** How requests are accounted for. */
export interface LedgerConfig {
  readonly settleAfterMs: number;
  readonly settleGiveUpMs: number;
  readonly retentionDays: number;
  readonly journalMaxBytes: number;
  /** How long upstream may take, once a client has left, to say which generation it bills. */
  readonly headWaitMs: number;
  /** How much is read, for the bill, of an answer whose caller has left, for keys that want it. */
  readonly drainBounds: { readonly ms: number; readonly bytes: number };
}

/** Thrown by {@link loadConfig}; `mistakes` names every wrong variable and its remedy, never its value. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super(
      `The configuration has ${mistakes.length} mistake(s):\n${mistakes.map((m) => `  - ${m}`).join("\n")}`,
    );
    this.mistakes = mistakes;
  }
}

/**
 * Reads a configuration from an environment-like record and the files that it names for secrets.
 * @param record names to values; empty values count as unset, unknown names are ignored.
 * @param readText reads those files.
 * @returns the frozen configuration.
 * @throws ConfigError with every mistake at once.
 */
export function loadConfig(record: EnvironmentRecord, readText = readTextFile): Config {
  const { values: given, mistakes } = readSettings(Object.keys(environmentSchema.shape), record, readText);
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success)
    mistakes.push(...parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`));
  const keyItems = splitList(given["GATEWAY_API_KEYS"] ?? "");
  const keys = parseKeyList(keyItems);
  mistakes.push(...keys.mistakes);
  // A key that is set but cannot be read is a mistake by itself, and not the lack of a key.
  if (!mistakes.some((mistake) => mistake.startsWith("OPENROUTER_API_KEY")))
    mistakes.push(...findContradictions(given, keyItems.length > 0));
  if (!parsed.success || mistakes.length > 0) throw new ConfigError(mistakes);
  return Object.freeze(toConfig(parsed.data, keys.entries));
}

/** Mistakes that no single variable shows. */
function findContradictions(given: Readonly<Record<string, string | undefined>>, hasKeys: boolean): string[] {
  if (given["OPENROUTER_API_KEY"] !== undefined) return findSqliteLoss(given, hasKeys);
  const mistakes: string[] = [];
  if (hasKeys) {
    // Without this, callers' gateway keys would be forwarded to OpenRouter as if they were its own.
    mistakes.push(
      "GATEWAY_API_KEYS is set without OPENROUTER_API_KEY: set the account's key, or remove GATEWAY_API_KEYS so that callers' own OpenRouter keys are forwarded",
    );
  }
  if (given["DATABASE_URL"] !== undefined) {
    mistakes.push(
      "DATABASE_URL is set without OPENROUTER_API_KEY: keys and a ledger are kept for an account of the gateway's own; set its key, or remove DATABASE_URL",
    );
  }
  return mistakes;
}

/** SQLite's file would be lost with the directory: keys, ledger and all, which no earlier write can make up for. */
function findSqliteLoss(given: Readonly<Record<string, string | undefined>>, hasKeys: boolean): string[] {
  const isOpen = hasKeys || given["ALLOW_ANONYMOUS"] === "true";
  const isSqlite = given["DATABASE_URL"] === undefined && (given["DATA_DIR"] !== undefined || !isOpen);
  if (!isSqlite || given["DATA_DIR_PERSISTENT"] !== "false") return [];
  return [
    "DATA_DIR_PERSISTENT is false without DATABASE_URL: SQLite keeps keys and ledger in DATA_DIR and would lose them; set DATABASE_URL, or mount a directory that persists and remove DATA_DIR_PERSISTENT",
  ];
}

function toConfig(env: Environment, gatewayKeys: readonly ConfiguredKey[]): Config {
  return {
    host: env.HOST,
    port: env.PORT,
    openrouterApiKey: env.OPENROUTER_API_KEY,
    gatewayKeys: Object.freeze(gatewayKeys),
    allowAnonymous: env.ALLOW_ANONYMOUS,
    upstream: Object.freeze({
      baseUrl: env.OPENROUTER_BASE_URL,
      proxyUrl: selectProxy(env.OPENROUTER_BASE_URL, env),
      connectTimeoutMs: env.UPSTREAM_CONNECT_TIMEOUT_MS,
      headersTimeoutMs: env.UPSTREAM_HEADERS_TIMEOUT_MS,
      idleTimeoutMs: env.UPSTREAM_IDLE_TIMEOUT_MS,
      appUrl: env.APP_URL,
      appTitle: env.APP_TITLE,
    }),
    store: toStoreConfig(env, gatewayKeys.length > 0),
    ledger: Object.freeze({
      settleAfterMs: env.SETTLE_AFTER_MS,
      settleGiveUpMs: env.SETTLE_GIVE_UP_MS,
      retentionDays: env.LEDGER_RETENTION_DAYS,
      journalMaxBytes: env.JOURNAL_MAX_BYTES,
      headWaitMs: env.DISCONNECT_HEAD_WAIT_MS,
      drainBounds: Object.freeze({ ms: env.DISCONNECT_DRAIN_MS, bytes: env.DISCONNECT_DRAIN_BYTES }),
    }),
    rateLimit: Object.freeze({ max: env.RATE_LIMIT_MAX, windowMs: env.RATE_LIMIT_WINDOW_MS }),
    redisUrl: env.REDIS_URL,
    trustProxy: Object.freeze(env.TRUST_PROXY),
    bodyLimitBytes: env.BODY_LIMIT_BYTES,
    bodyMemoryBytes: env.BODY_MEMORY_BYTES,
    maxInFlight: env.MAX_IN_FLIGHT,
    maxInFlightPerKey: env.MAX_IN_FLIGHT_PER_KEY ?? Math.ceil(env.MAX_IN_FLIGHT / PER_KEY_DIVISOR),
    upstreamTotalTimeoutMs: env.UPSTREAM_TOTAL_TIMEOUT_MS,
    responseLimitBytes: env.RESPONSE_LIMIT_BYTES,
    maxConnections: env.MAX_CONNECTIONS,
    clientStallTimeoutMs: env.CLIENT_STALL_TIMEOUT_MS,
    keepAliveTimeoutMs: env.KEEP_ALIVE_TIMEOUT_MS,
    drainMs: env.DRAIN_MS,
    shutdownGraceMs: env.SHUTDOWN_GRACE_MS,
    logLevel: env.LOG_LEVEL,
    corsOrigins: Object.freeze(env.CORS_ORIGINS),
  };
}

/**
 * There is nothing to keep without an account, and keys from the environment alone need no disk: so a gateway that writes
 * nothing is still to be had.
 */
function toStoreConfig(env: Environment, hasKeys: boolean): StoreConfig | undefined {
  const wanted =
    env.DATA_DIR !== undefined || env.DATABASE_URL !== undefined || !(hasKeys || env.ALLOW_ANONYMOUS);
  if (env.OPENROUTER_API_KEY === undefined || !wanted) return undefined;
  return Object.freeze({
    dataDir: env.DATA_DIR ?? "data",
    // With PostgreSQL a directory is often a container's: the default is the one that loses no row.
    isDataDirPersistent:
      env.DATA_DIR_PERSISTENT === undefined
        ? env.DATABASE_URL === undefined
        : env.DATA_DIR_PERSISTENT === "true",
    databaseUrl: env.DATABASE_URL,
    outageGraceMs: env.STORE_OUTAGE_GRACE_MS,
  });
}
