import { Redis, ReplyError } from "ioredis";

/**
 * Short timeouts, so that an unresponsive Redis does not block requests. By default, ioredis queues commands without a time
 * limit.
 */
const CONNECT_TIMEOUT_MS = 500;
const COMMAND_TIMEOUT_MS = 150;
const RECONNECT_MAX_MS = 2_000;
/** Time without Redis after a failure. Otherwise, every request would wait for the timeout. */
const RECOVERY_MS = 2_000;

/**
 * Counts one request and returns the count and the remaining ms of its window. The script starts a new window if the key has
 * no expiry (after PERSIST or a restore), or an expiry later than the end of a new window.
 */
const COUNT_SCRIPT = `
local count = redis.call('INCR', KEYS[1])
local window = tonumber(ARGV[1])
local remaining = redis.call('PTTL', KEYS[1])
if remaining < 0 or remaining > window then
  redis.call('PEXPIRE', KEYS[1], window)
  remaining = window
end
return {count, remaining}
`;

/** A count in Redis, and the remaining time of its window in ms. */
export interface SharedCount {
  readonly count: number;
  readonly resetMs: number;
}

/** The connection to Redis and its health. */
export class RedisStore {
  readonly #client: Redis;
  readonly #onFailure: (error: Error) => void;
  #failedAt = -Infinity;

  /**
   * Connects in the background, and reconnects when the connection is lost. Commands fail immediately without a connection,
   * and after 150 ms if Redis does not respond.
   * @param onFailure called with every failure, possibly often. The error has a `code` but no message from Redis.
   */
  constructor(url: string, onFailure: (error: Error) => void) {
    this.#onFailure = (error) => onFailure(withoutText(error));
    this.#client = new Redis(url, {
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    });
    this.#client.on("error", this.#onFailure);
  }

  /** Whether Redis should be used. It should not for two seconds after a failure. */
  get usable(): boolean {
    return performance.now() - this.#failedAt > RECOVERY_MS;
  }

  /** Records that a command failed, and reports the error. */
  failed(error: Error): void {
    this.#failedAt = performance.now();
    this.#onFailure(error);
  }

  /**
   * Counts one request in a fixed window that starts with the first request of a key.
   * @param windowMs length of the window in whole ms.
   * @throws an error of Redis or of the connection, or an error with the code UNEXPECTED_REPLY.
   */
  async count(key: string, windowMs: number): Promise<SharedCount> {
    return readCount(await this.#client.eval(COUNT_SCRIPT, 1, key, windowMs), windowMs);
  }

  /** Whether Redis responds to PING. */
  async isReachable(): Promise<boolean> {
    try {
      return (await this.#client.ping()) === "PONG";
    } catch {
      return false;
    }
  }

  close(): void {
    this.#client.disconnect();
  }
}

/**
 * Validates a reply: a proxy or a server other than Redis may return anything, and an invalid count would disable the limit.
 */
function readCount(reply: unknown, windowMs: number): SharedCount {
  if (Array.isArray(reply) && reply.length === 2) {
    const [count, resetMs] = reply as unknown[];
    if (isWholeNumber(count, 1, Number.MAX_SAFE_INTEGER) && isWholeNumber(resetMs, 0, windowMs))
      return { count, resetMs };
  }
  throw Object.assign(new Error("redis: unexpected reply to the count script"), { code: "UNEXPECTED_REPLY" });
}

function isWholeNumber(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

/**
 * Keeps only the code of a Redis error, such as READONLY: the rest of the message may contain commands, keys and settings.
 */
function withoutText(error: Error): Error {
  if (!(error instanceof ReplyError)) return error;
  const code = /^[A-Z]{2,24}(?= |$)/.exec(error.message)?.[0] ?? "ERR";
  return Object.assign(new Error("redis: error reply"), { code });
}
