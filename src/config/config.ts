import { type Environment, environmentSchema } from "./environment-schema.ts";
import { selectProxy } from "./upstream-proxy.ts";
import { type EnvironmentRecord, readSettings, readTextFile } from "./sources.ts";
import { splitList } from "./values.ts";
import { parseKeyList, type ConfiguredKey } from "./gateway-api-keys.ts";
import { findContradictions, findPortContradictions, findWebhookContradictions } from "./contradictions.ts";
import { describeSettings, type Setting } from "./settings.ts";
import { parseAliasList } from "./model-aliases.ts";
import { parseWebhookSecret } from "./webhook-settings.ts";
import type { ModelAliases } from "../request/model-aliases.ts";

/** `MAX_IN_FLIGHT_PER_KEY` defaults to one sixteenth of `MAX_IN_FLIGHT`, so that sixteen busy keys can share the limit. */
const PER_KEY_DIVISOR = 16;

/** The validated configuration of the gateway. Frozen; `.env.example` describes each variable. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** The account's OpenRouter key. If it is undefined, clients send their own OpenRouter keys, which are forwarded. */
  readonly openrouterApiKey: string | undefined;
  readonly gatewayKeys: readonly ConfiguredKey[];
  readonly allowAnonymous: boolean;
  /** Names that every client may use instead of model ids. */
  readonly modelAliases: ModelAliases;
  readonly upstream: UpstreamConfig;
  /** Storage of keys and ledger; undefined if the gateway stores nothing. */
  readonly store: StoreConfig | undefined;
  /** How long a session of the dashboard is valid; 0: there is no dashboard. */
  readonly dashboardSessionMs: number;
  readonly ledger: LedgerConfig;
  readonly account: AccountConfig;
  /** undefined: alerts are only stored and logged. */
  readonly alertWebhook: WebhookConfig | undefined;
  /** undefined: the gateway has no metrics. */
  readonly metrics: MetricsConfig | undefined;
  readonly rateLimit: { readonly max: number; readonly windowMs: number };
  /** How long a request waits for money of a budget that requests in flight hold. */
  readonly budgetWaitMs: number;
  readonly redisUrl: string | undefined;
  /** Time limit of every decision of Redis. Afterwards, the process counts by itself. */
  readonly redisTimeoutMs: number;
  /** Addresses and networks of proxies whose `X-Forwarded-For` is trusted. */
  readonly trustProxy: readonly string[];
  readonly bodyLimitBytes: number;
  /** Maximum total size of the request bodies that the process holds in memory. */
  readonly bodyMemoryBytes: number;
  readonly maxInFlight: number;
  /** Maximum number of chat completions in flight of one caller, enforced only when `maxInFlight` is nearly reached. */
  readonly maxInFlightPerKey: number;
  /** Maximum time from sending a request to the end of its response. */
  readonly upstreamTotalTimeoutMs: number;
  readonly responseLimitBytes: number;
  /** Maximum number of client connections; undefined: as many as the descriptor limit of the process allows. */
  readonly maxConnections: number | undefined;
  readonly clientStallTimeoutMs: number;
  /** Time after which an idle client connection is closed. */
  readonly keepAliveTimeoutMs: number;
  readonly drainMs: number;
  readonly shutdownGraceMs: number;
  readonly logLevel: string;
  readonly corsOrigins: readonly string[];
  /** Every setting for the operator to read, without secrets. Nothing else depends on it. */
  readonly settings: readonly Setting[];
}

/** The address of OpenRouter, the proxy to it, and the timeout of each phase of a request. */
export interface UpstreamConfig {
  /** Scheme, host and path such as `https://openrouter.ai/api/v1`, without a trailing slash. */
  readonly baseUrl: string;
  /** URL of an http or https proxy, with user name and password; undefined: requests go to OpenRouter directly. */
  readonly proxyUrl?: string | undefined;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** `appUrl` and `appTitle` are sent as `HTTP-Referer` and `X-Title` if the client does not send these headers. */
  readonly appUrl: string | undefined;
  readonly appTitle: string | undefined;
}

/** Storage of keys and ledger. */
export interface StoreConfig {
  /** Directory of the SQLite file and of the journal. */
  readonly dataDir: string;
  /** Whether the directory outlives the container, so that a later process can mount it and replay the journal in it. */
  readonly isDataDirPersistent: boolean;
  /** A `postgres://` URL; undefined: keys and ledger are in the SQLite file. */
  readonly databaseUrl: string | undefined;
  /** How long cached keys stay valid while the database is unavailable. */
  readonly outageGraceMs: number;
}

/** Settings of the ledger: when costs are looked up, how long rows are kept, and how much is read after a disconnect. */
export interface LedgerConfig {
  readonly settleAfterMs: number;
  readonly settleGiveUpMs: number;
  readonly retentionDays: number;
  readonly journalMaxBytes: number;
  /** How long to wait, after a client has disconnected, for the response head, which contains the generation id. */
  readonly headWaitMs: number;
  /** How much of a response is drained after its client has disconnected, for keys with `onDisconnect: "drain"`. */
  readonly drainBounds: { readonly ms: number; readonly bytes: number };
}

/** How the gateway watches the money of its OpenRouter account. */
export interface AccountConfig {
  /** Time between two polls; 0: no polls. */
  readonly pollMs: number;
  /** Raise an alert when less than this is left; undefined: never. */
  readonly lowNanodollars: number | undefined;
  /** A management key of the account, with which its credits are polled; undefined: only the gateway's key is polled. */
  readonly managementKey: string | undefined;
}

/** The listener for Prometheus. */
export interface MetricsConfig {
  readonly host: string;
  readonly port: number;
  /** Whether metrics have the names of keys, and the budgets of keys and groups. */
  readonly keyLabel: boolean;
}

/** Receiver of alerts. */
export interface WebhookConfig {
  readonly url: string;
  /** URL of an http or https proxy; undefined: without a proxy. */
  readonly proxyUrl: string | undefined;
  readonly secret: Buffer;
}

/** Thrown by {@link loadConfig}. `mistakes` names every invalid variable and how to correct it, never its value. */
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
 * Loads the configuration from a record of variables and from the files that its `*_FILE` variables name.
 * @param record values by name. Empty values count as unset, and unknown names are ignored.
 * @param readText reads one of these files.
 * @returns the frozen configuration.
 * @throws ConfigError with all mistakes at once.
 */
export function loadConfig(record: EnvironmentRecord, readText = readTextFile): Config {
  const { values: given, mistakes } = readSettings(Object.keys(environmentSchema.shape), record, readText);
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success)
    mistakes.push(...parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`));
  const keyItems = splitList(given["GATEWAY_API_KEYS"] ?? "");
  const keys = parseKeyList(keyItems);
  const { aliases, mistakes: aliasMistakes } = parseAliasList(splitList(given["MODEL_ALIASES"] ?? ""));
  mistakes.push(...keys.mistakes, ...aliasMistakes);
  // An invalid OPENROUTER_API_KEY is reported already, and must not be reported as missing too.
  const isValid = (prefix: string): boolean => !mistakes.some((mistake) => mistake.startsWith(prefix));
  if (isValid("OPENROUTER_API_KEY")) mistakes.push(...findContradictions(given, keyItems.length > 0));
  if (isValid("ALERT_WEBHOOK")) mistakes.push(...findWebhookContradictions(given, keyItems.length > 0));
  if (parsed.success) mistakes.push(...findPortContradictions(parsed.data));
  if (!parsed.success || mistakes.length > 0) throw new ConfigError(mistakes);
  const settings = describeSettings(given);
  return Object.freeze({ ...toConfig(parsed.data, keys.entries, aliases), settings });
}

function toConfig(
  env: Environment,
  gatewayKeys: readonly ConfiguredKey[],
  modelAliases: ModelAliases,
): Omit<Config, "settings"> {
  return {
    host: env.HOST,
    port: env.PORT,
    openrouterApiKey: env.OPENROUTER_API_KEY,
    gatewayKeys: Object.freeze(gatewayKeys),
    allowAnonymous: env.ALLOW_ANONYMOUS,
    modelAliases,
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
    dashboardSessionMs: env.DASHBOARD_SESSION_MS,
    ledger: Object.freeze({
      settleAfterMs: env.SETTLE_AFTER_MS,
      settleGiveUpMs: env.SETTLE_GIVE_UP_MS,
      retentionDays: env.LEDGER_RETENTION_DAYS,
      journalMaxBytes: env.JOURNAL_MAX_BYTES,
      headWaitMs: env.DISCONNECT_HEAD_WAIT_MS,
      drainBounds: Object.freeze({ ms: env.DISCONNECT_DRAIN_MS, bytes: env.DISCONNECT_DRAIN_BYTES }),
    }),
    account: Object.freeze({
      pollMs: env.ACCOUNT_POLL_MS,
      lowNanodollars: env.ACCOUNT_LOW_USD,
      managementKey: env.OPENROUTER_MANAGEMENT_KEY,
    }),
    alertWebhook: toWebhookConfig(env),
    metrics: toMetricsConfig(env),
    rateLimit: Object.freeze({ max: env.RATE_LIMIT_MAX, windowMs: env.RATE_LIMIT_WINDOW_MS }),
    budgetWaitMs: env.BUDGET_WAIT_MS,
    redisUrl: env.REDIS_URL,
    redisTimeoutMs: env.REDIS_TIMEOUT_MS,
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

function toMetricsConfig({
  METRICS_PORT: port,
  METRICS_HOST: host,
  METRICS_KEY_LABEL: keyLabel,
}: Environment) {
  return port === undefined ? undefined : Object.freeze({ host, port, keyLabel });
}

function toWebhookConfig(env: Environment): WebhookConfig | undefined {
  const { ALERT_WEBHOOK_URL: url } = env;
  const secret = parseWebhookSecret(env.ALERT_WEBHOOK_SECRET ?? "");
  if (url === undefined || secret === undefined) return undefined;
  return Object.freeze({ url, proxyUrl: selectProxy(url, env), secret });
}

/**
 * Returns the storage settings; undefined if the gateway stores nothing. Without an OpenRouter account, there is nothing to
 * store. With `GATEWAY_API_KEYS` or `ALLOW_ANONYMOUS`, the gateway needs no stored keys, so it has a store only if `DATA_DIR`
 * or `DATABASE_URL` is set.
 */
function toStoreConfig(env: Environment, hasKeys: boolean): StoreConfig | undefined {
  const hasStore =
    env.DATA_DIR !== undefined || env.DATABASE_URL !== undefined || !(hasKeys || env.ALLOW_ANONYMOUS);
  if (env.OPENROUTER_API_KEY === undefined || !hasStore) return undefined;
  return Object.freeze({
    dataDir: env.DATA_DIR ?? "data",
    // With PostgreSQL the directory is often inside a container, so the default assumes that its journal can be lost.
    isDataDirPersistent:
      env.DATA_DIR_PERSISTENT === undefined
        ? env.DATABASE_URL === undefined
        : env.DATA_DIR_PERSISTENT === "true",
    databaseUrl: env.DATABASE_URL,
    outageGraceMs: env.STORE_OUTAGE_GRACE_MS,
  });
}
