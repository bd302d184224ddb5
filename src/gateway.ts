import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { buildApp } from "./app.ts";
import type { Config } from "./config.ts";
import { Drain } from "./http/drain.ts";
import { fixedKeys } from "./keys/key-store.ts";
import { InFlight } from "./limits/in-flight.ts";
import { RedisStore } from "./store/redis.ts";
import { connectUpstream } from "./upstream/openrouter.ts";

/** How long connections that were cut may take to say so before they are destroyed. */
const CUT_MS = 1_000;

/** A gateway that listens. */
export interface Gateway {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Stops it: for `drainMs` it serves on while readiness fails and answers ask for their connections to be closed; then
   * it takes nothing new, lets streams finish for up to `graceMs`, and breaks off the rest.
   */
  stop(options: { drainMs: number; graceMs: number }): Promise<void>;
}

/** Opens all that the gateway needs and listens. @throws when the port cannot be had. */
export async function startGateway(config: Config, logger: Logger): Promise<Gateway> {
  const drain = new Drain();
  const inFlight = new InFlight(config.maxInFlight);
  const upstream = connectUpstream(config.upstream);
  const redis =
    config.redisUrl === undefined ? undefined : new RedisStore(config.redisUrl, warnOfRedis(logger));
  const app = await buildApp({
    config,
    keys: fixedKeys(config.gatewayKeys),
    upstream,
    redis,
    logger,
    drain,
    inFlight,
  });
  const closeClients = async (): Promise<void> => {
    redis?.close();
    await upstream.close();
  };
  try {
    const url = await app.listen({ host: config.host, port: config.port });
    return {
      url,
      async stop({ drainMs, graceMs }) {
        drain.begin();
        await sleep(drainMs);
        const grace = setTimeout(() => {
          inFlight.cutAll();
          setTimeout(() => app.server.closeAllConnections(), CUT_MS).unref();
        }, graceMs);
        await app.close();
        clearTimeout(grace);
        await closeClients();
      },
    };
  } catch (error) {
    await closeClients();
    throw error;
  }
}

/** Redis tells of every failed attempt; one line in so many seconds is enough. */
function warnOfRedis(logger: Logger): (error: Error) => void {
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
