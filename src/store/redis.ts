import { Redis, ReplyError } from "ioredis";

/** A Redis that hangs must not hang requests: the defaults wait and queue for ever. */
const CONNECT_TIMEOUT_MS = 500;
const COMMAND_TIMEOUT_MS = 150;
const RECONNECT_MAX_MS = 2_000;
/** A store that has just failed is left alone for so long, or every request would wait for its timeout. */
const RECOVERY_MS = 2_000;

/**
 * Counts one request and answers with the count and the remaining ms of its window. A window that has no end, as after
 * PERSIST or a restore, or a later one than a new window would have, gets that of a new window.
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

/** A count in Redis, and how long its window still lasts, in ms. */
export interface SharedCount {
  readonly count: number;
  readonly resetMs: number;
}

/** The connection to Redis, and what is known of its health. */
export class RedisStore {
  readonly #client: Redis;
  readonly #onFailure: (error: Error) => void;
  #failedAt = -Infinity;

  /**
   * Connects in the background, and again whenever the connection is lost. Commands fail at once while there is none and
   * after 150 ms when Redis does not answer.
   * @param onFailure called with every failure, of which there may be many; its error has a `code` and no text of Redis.
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

  /** Whether it is worth asking: it has not failed a moment ago. */
  get usable(): boolean {
    return performance.now() - this.#failedAt > RECOVERY_MS;
  }

  /** To be told of a command that failed. */
  failed(error: Error): void {
    this.#failedAt = performance.now();
    this.#onFailure(error);
  }

  /**
   * Counts one request in a fixed window, which begins with the first request of a key.
   * @param windowMs length of the window, a whole number of ms.
   * @throws an error of Redis or its connection, or one with the code UNEXPECTED_REPLY.
   */
  async count(key: string, windowMs: number): Promise<SharedCount> {
    return readCount(await this.#client.eval(COUNT_SCRIPT, 1, key, windowMs), windowMs);
  }

  /** Whether Redis answers now. */
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

/** A proxy in between or another server than Redis can answer anything, and comparing with it would switch the limit off. */
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

/** An error of Redis begins with its code, such as READONLY; the rest can quote commands, keys and settings. */
function withoutText(error: Error): Error {
  if (!(error instanceof ReplyError)) return error;
  const code = /^[A-Z]{2,24}(?= |$)/.exec(error.message)?.[0] ?? "ERR";
  return Object.assign(new Error("redis: error reply"), { code });
}
