import { lookup } from "node:dns/promises";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { buildApp } from "./app.ts";
import type { Persistence, FirstKeys } from "./persistence.ts";
import type { Config } from "./config/config.ts";
import { ShutdownState, beginShutdown } from "./http/shutdown.ts";
import { chainKeyStores, createStaticKeyStore } from "./auth/key-store.ts";
import { InFlight } from "./limits/in-flight.ts";
import type { RedisStore } from "./store/redis.ts";
import { connectUpstream, type Upstream } from "./upstream/openrouter.ts";

/** How long aborted connections may take to send their last bytes before they are destroyed. */
const ABORT_GRACE_MS = 1_000;

/** A gateway that listens. */
export interface Gateway {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Stops it: for `delayMs` (`DRAIN_MS`) it serves on while readiness fails and responses ask for their connections to be
   * closed; then it stops listening, lets streams finish for up to `graceMs`, and aborts the rest. With a `delayMs` of 0
   * responses ask for their connections to be closed when it has stopped listening.
   */
  stop(options: { delayMs: number; graceMs: number }): Promise<void>;
}

/**
 * Opens all that the gateway needs and listens.
 * @param onFirstKeys given the keys that were made because nobody could use the gateway otherwise.
 * @throws when the port or the data directory cannot be had.
 */
export async function startGateway(
  config: Config,
  logger: Logger,
  onFirstKeys: (keys: FirstKeys) => void = () => {},
): Promise<Gateway> {
  const shutdown = new ShutdownState();
  const inFlight = new InFlight(config.maxInFlight, config.maxInFlightPerKey);
  const upstream = connectUpstream(config.upstream);
  const persistence = await openPersistence(config, upstream, logger, onFirstKeys);
  const redis = await openRedis(config, logger);
  const app = await buildApp({
    config,
    keys: persistence
      ? chainKeyStores(createStaticKeyStore(config.gatewayKeys), persistence.keyCache)
      : createStaticKeyStore(config.gatewayKeys),
    upstream,
    redis,
    persistence,
    logger,
    shutdown,
    inFlight,
  });
  const closeDependencies = async (): Promise<void> => {
    redis?.close();
    await persistence?.close();
    await upstream.close();
  };
  try {
    await persistence?.open();
    const url = await app.listen({ host: await resolveAddress(config.host), port: config.port });
    return {
      url,
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
 * Fastify makes a second server for the other address of `localhost`, which knows nothing of what is set on the first: it
 * would let bodies come before their keys are known, and hold up the gateway's end.
 */
async function resolveAddress(host: string): Promise<string> {
  return host === "localhost" ? (await lookup(host, { order: "ipv4first" })).address : host;
}

/**
 * Breaks off whatever is under way when the grace time is over, and goes on with it: what comes over connections that are
 * open begins until they are closed. @returns what ends it.
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

/** What only a gateway with a store needs is loaded only there: it starts sooner without, and takes less memory. */
async function openPersistence(
  config: Config,
  upstream: Upstream,
  logger: Logger,
  onFirstKeys: (keys: FirstKeys) => void,
): Promise<Persistence | undefined> {
  const { store, openrouterApiKey } = config;
  if (store === undefined || openrouterApiKey === undefined) return undefined;
  const { Persistence: PersistenceClass } = await import("./persistence.ts");
  return new PersistenceClass({ config, store, openrouterApiKey, upstream, logger, onFirstKeys });
}

/** As with the store. */
async function openRedis({ redisUrl }: Config, logger: Logger): Promise<RedisStore | undefined> {
  if (redisUrl === undefined) return undefined;
  const { RedisStore: RedisStoreClass } = await import("./store/redis.ts");
  return new RedisStoreClass(redisUrl, createRedisWarning(logger));
}

/** Redis tells of every failed attempt; one line in so many seconds is enough. */
function createRedisWarning(logger: Logger): (error: Error) => void {
  const everyMs = 30_000;
  let last = -everyMs;
  return (error) => {
    if (performance.now() - last < everyMs) return;
    last = performance.now();
    logger.warn(
      { cause: "code" in error ? error.code : error.name },
      "redis does not answer; this process counts by itself",
    );
  };
}
