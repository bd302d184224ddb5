import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import type { Metrics } from "./metrics/metrics.ts";
import { buildApp } from "./app.ts";
import type { FirstKeys, Persistence, PersistenceOptions } from "./persistence.ts";
import type { Config } from "./config/config.ts";
import { resolveListenAddress } from "./http/listen-address.ts";
import { ShutdownState, beginShutdown } from "./http/shutdown.ts";
import { chainKeyStores, createStaticKeyStore } from "./auth/key-store.ts";
import { InFlight } from "./limits/in-flight.ts";
import type { RedisOptions, RedisStore } from "./store/redis.ts";
import { logAlert } from "./alerts/log-alert.ts";
import type { LogOutput } from "./observability/log-output.ts";
import { createBalanceReaders } from "./upstream/account.ts";
import { AccountBalance } from "./upstream/account-balance.ts";
import { connectUpstream, type Upstream } from "./upstream/openrouter.ts";

/** Time between the abort of all requests and the end of their connections, in which the last bytes are sent. */
const ABORT_GRACE_MS = 1_000;

/** A running gateway. */
export interface Gateway {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** For example `http://127.0.0.1:9464/metrics`; undefined without `METRICS_PORT`. */
  readonly metricsUrl: string | undefined;
  /**
   * Stops the gateway in three steps. For `delayMs` (`DRAIN_MS`) it still serves requests, but readiness fails and responses
   * carry `connection: close`. Then it stops listening and waits up to `graceMs` for the requests in flight. Finally it
   * aborts the remaining requests. If `delayMs` is 0, responses carry `connection: close` only after listening has stopped.
   */
  stop(options: { delayMs: number; graceMs: number }): Promise<void>;
}

/**
 * Connects upstream, database and Redis, and starts to listen.
 * @param onFirstKeys called with the keys that were created because the database had none.
 * @param logOutput the destination of the log, for the metric of dropped lines.
 * @throws if the port or the data directory is unavailable.
 */
export async function startGateway(
  config: Config,
  logger: Logger,
  onFirstKeys: (keys: FirstKeys) => void = () => {},
  logOutput?: LogOutput,
): Promise<Gateway> {
  const shutdown = new ShutdownState();
  const inFlight = new InFlight(config.maxInFlight, config.maxInFlightPerKey);
  const upstream = connectUpstream(config.upstream);
  const metrics = await createMetrics(config);
  const onSettledLater = metrics?.recordSettledLater.bind(metrics);
  const persistence = await openPersistence(config, { upstream, logger, onFirstKeys, onSettledLater });
  const account = createAccountBalance(config, { upstream, persistence, logger });
  const redis = await openRedis(config, logger);
  const app = await buildApp({
    config,
    keys: persistence
      ? chainKeyStores(createStaticKeyStore(config.gatewayKeys), persistence.keyCache)
      : createStaticKeyStore(config.gatewayKeys),
    upstream,
    account,
    redis,
    persistence,
    logger,
    shutdown,
    inFlight,
    metrics,
    logOutput,
  });
  const closeDependencies = async (): Promise<void> => {
    redis?.close();
    await Promise.all([account?.stop(), persistence?.close()]);
    await upstream.close();
    await metrics?.close();
  };
  try {
    const metricsUrl = await metrics?.listen();
    if (metricsUrl !== undefined) logger.info({ url: metricsUrl }, "metrics: listening");
    await persistence?.open();
    const url = await app.listen({ host: await resolveListenAddress(config.host), port: config.port });
    account?.start();
    metrics?.start();
    return {
      url,
      metricsUrl,
      async stop({ delayMs, graceMs }) {
        await beginShutdown(app.server, shutdown, delayMs);
        const stopAborting = abortAfter(graceMs, app, inFlight);
        await app.close();
        await inFlight.waitUntilEmpty();
        stopAborting();
        await closeDependencies();
      },
    };
  } catch (error) {
    await closeDependencies();
    throw error;
  }
}

/**
 * Aborts all requests in flight after the grace time. Then, every second, closes all connections and aborts the requests
 * that have arrived meanwhile, because a connection can deliver new requests until it is closed.
 * @returns a function that cancels the timer.
 */
function abortAfter(graceMs: number, app: FastifyInstance, inFlight: InFlight): () => void {
  let timer = setTimeout(function abort() {
    inFlight.abortAll();
    timer = setTimeout(() => {
      app.server.closeAllConnections();
      abort();
    }, ABORT_GRACE_MS);
  }, graceMs);
  return () => clearTimeout(timer);
}

/** Creates the store of keys and ledger, if one is configured. Imports its modules only then, to save time and memory. */
async function openPersistence(
  config: Config,
  options: Omit<PersistenceOptions, "config" | "store" | "openrouterApiKey">,
): Promise<Persistence | undefined> {
  const { store, openrouterApiKey } = config;
  if (store === undefined || openrouterApiKey === undefined) return undefined;
  const { Persistence: PersistenceClass } = await import("./persistence.ts");
  return new PersistenceClass({ ...options, config, store, openrouterApiKey });
}

/** Creates the metrics, if they are on. Imports their modules only then, to save time and memory. */
async function createMetrics({ metrics }: Config): Promise<Metrics | undefined> {
  if (metrics === undefined) return undefined;
  const { Metrics: MetricsClass } = await import("./metrics/metrics.ts");
  return new MetricsClass(metrics);
}

interface AccountDependencies {
  readonly upstream: Upstream;
  readonly persistence: Persistence | undefined;
  readonly logger: Logger;
}

/** Creates the poll of the account's money, if there is an account and `ACCOUNT_POLL_MS` is not 0. */
function createAccountBalance(
  { account, openrouterApiKey }: Config,
  { upstream, persistence, logger }: AccountDependencies,
): AccountBalance | undefined {
  const { pollMs, lowNanodollars, managementKey } = account;
  if (openrouterApiKey === undefined || pollMs === 0) return undefined;
  return new AccountBalance({
    readers: createBalanceReaders(upstream, { apiKey: openrouterApiKey, managementKey }),
    pollMs,
    lowNanodollars,
    raise: async (alert) => {
      if (persistence) await persistence.raiseAlert(alert);
      else logAlert(logger, alert);
    },
    logger,
  });
}

/** Creates the Redis store, if `REDIS_URL` is set. Imports its modules only then. */
export async function openRedis(
  { redisUrl, redisTimeoutMs }: Config,
  logger: Logger,
): Promise<RedisStore | undefined> {
  if (redisUrl === undefined) return undefined;
  const { RedisStore: RedisStoreClass } = await import("./store/redis.ts");
  return new RedisStoreClass(redisUrl, { timeoutMs: redisTimeoutMs, ...createRedisLog(logger) });
}

/**
 * Creates callbacks that log at most one failure of Redis in a minute, because the Redis client reports every failed attempt,
 * and one recovery for each logged failure.
 */
function createRedisLog(logger: Logger): Pick<RedisOptions, "onFailure" | "onRecovery"> {
  const everyMs = 60_000;
  let last = -everyMs;
  let isReported = false;
  return {
    onFailure: (error) => {
      if (performance.now() - last < everyMs) return;
      last = performance.now();
      isReported = true;
      logger.warn(
        { cause: "code" in error ? error.code : error.name },
        "redis: unavailable, counting in this process",
      );
    },
    onRecovery: () => {
      if (isReported) logger.info("redis: recovered, counting in Redis");
      isReported = false;
    },
  };
}
