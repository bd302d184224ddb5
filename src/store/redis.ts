import { Redis } from "ioredis";

/** A Redis that hangs must not hang requests: the defaults wait and queue for ever. */
const CONNECT_TIMEOUT_MS = 500;
const COMMAND_TIMEOUT_MS = 150;
const RECONNECT_MAX_MS = 2_000;

/**
 * Connects to Redis, in the background and again whenever it is lost. Commands fail at once while there is no connection
 * and after 150 ms when it does not answer.
 * @param onError told of every failed connection; without a listener it would end the process.
 */
export function connectRedis(url: string, onError: (error: Error) => void): Redis {
  const redis = new Redis(url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
  });
  redis.on("error", onError);
  return redis;
}

/** Whether Redis answers now. */
export async function redisAnswers(redis: Redis): Promise<boolean> {
  try {
    return (await redis.ping()) === "PONG";
  } catch {
    return false;
  }
}
