import { Redis, ReplyError } from "ioredis";
import {
  type Correction,
  createDecideArguments,
  createEndArguments,
  DECIDE_SCRIPT,
  type Decision,
  END_SCRIPT,
  isWholeNumber,
  readDecision,
  RENEW_SCRIPT,
  type SharedLimit,
} from "./redis-limits.ts";

/** By default, ioredis waits 10 s for a connection. */
const CONNECT_TIMEOUT_MS = 500;
const RECONNECT_MAX_MS = 2_000;
/** Time without Redis after a failure. Otherwise, every request would wait for the timeout. */
const RECOVERY_MS = 2_000;
/** Places that one command renews or releases. Redis does nothing else meanwhile. */
const MEMBERS_MAX = 1_000;

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

export interface RedisOptions {
  /** Time limit of every command in ms, so that an unresponsive Redis does not block requests. */
  readonly timeoutMs: number;
  /** Called with every failure, possibly often. The error has a `code` but no message from Redis. */
  readonly onFailure: (error: Error) => void;
  /** Called when the first command after a failure has succeeded. */
  readonly onRecovery: () => void;
}

/** The connection to Redis and its health. */
export class RedisStore {
  readonly #client: Redis;
  readonly #onFailure: (error: Error) => void;
  readonly #onRecovery: () => void;
  readonly #timeoutMs: number;
  #failedAt = -Infinity;
  #hasFailed = false;

  /**
   * Connects in the background, and reconnects when the connection is lost. Commands fail immediately without a connection,
   * and after `timeoutMs` if Redis does not respond.
   */
  constructor(url: string, { timeoutMs, onFailure, onRecovery }: RedisOptions) {
    this.#onFailure = (error) => {
      this.#hasFailed = true;
      onFailure(withoutText(error));
    };
    this.#onRecovery = onRecovery;
    this.#timeoutMs = timeoutMs;
    this.#client = new Redis(url, {
      connectTimeout: CONNECT_TIMEOUT_MS,
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
    const counted = readCount(await this.#eval(COUNT_SCRIPT, 1, key, windowMs), windowMs);
    this.#succeeded();
    return counted;
  }

  /**
   * Decides in one round trip whether a request fits in all limits, and counts it only if it does.
   * @param tokens to count in limits on tokens; 0 only checks that they are not exhausted.
   * @param member identifies the request in limits on places.
   * @throws an error of Redis or of the connection, or an error with the code UNEXPECTED_REPLY.
   */
  async decide(limits: readonly SharedLimit[], tokens: number, member: string): Promise<Decision> {
    const args = createDecideArguments(limits, tokens, member);
    const reply = await this.#eval(DECIDE_SCRIPT, limits.length, ...args);
    const decision = readDecision(reply, limits, tokens);
    if (!decision) throw createReplyError();
    this.#succeeded();
    return decision;
  }

  /**
   * Releases the places of a request and corrects its tokens.
   * @throws an error of Redis or of the connection. The places may then still be taken.
   */
  async end(
    places: readonly SharedLimit[],
    corrections: readonly Correction[],
    member: string,
  ): Promise<void> {
    const args = createEndArguments(places, corrections, member);
    await this.#eval(END_SCRIPT, places.length + corrections.length, ...args);
    this.#succeeded();
  }

  /** Extends the time of places. @throws an error of Redis or of the connection. */
  async renew({ key, windowMs }: SharedLimit, members: readonly string[]): Promise<void> {
    // All commands are sent before any later release. A command that followed a release would take the place again.
    const renewing: Promise<unknown>[] = [];
    for (let from = 0; from < members.length; from += MEMBERS_MAX)
      renewing.push(this.#eval(RENEW_SCRIPT, 1, key, windowMs, ...members.slice(from, from + MEMBERS_MAX)));
    await Promise.all(renewing);
  }

  /** Releases places under one limit. @throws an error of Redis or of the connection. */
  async release(key: string, members: readonly string[]): Promise<void> {
    for (let from = 0; from < members.length; from += MEMBERS_MAX)
      await this.#limit(this.#client.zrem(key, ...members.slice(from, from + MEMBERS_MAX)));
  }

  /** Calls `onReady` after every connect: the server may have lost its data. */
  listenForReady(onReady: () => void): void {
    this.#client.on("ready", onReady);
  }

  #eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown> {
    return this.#limit(this.#client.eval(script, keys, ...args));
  }

  /**
   * Limits the time of a command. ioredis has such a limit, but it counts time in which this process was busy: when the event
   * loop is late, timers run before arrived replies are read. Immediates run after that.
   */
  #limit(reply: Promise<unknown>): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => setImmediate(reject, createTimeoutError()), this.#timeoutMs);
    reply.then(resolve, reject).finally(() => clearTimeout(timer));
    return promise;
  }

  #succeeded(): void {
    if (!this.#hasFailed) return;
    this.#hasFailed = false;
    this.#onRecovery();
  }

  /** Whether Redis responds to PING. */
  async isReachable(): Promise<boolean> {
    try {
      return (await this.#limit(this.#client.ping())) === "PONG";
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
  throw createReplyError();
}

function createTimeoutError(): Error {
  return Object.assign(new Error("redis: no reply in time"), { code: "ETIMEDOUT" });
}

function createReplyError(): Error {
  return Object.assign(new Error("redis: unexpected reply to a script"), { code: "UNEXPECTED_REPLY" });
}

/**
 * Keeps only the code of a Redis error, such as READONLY: the rest of the message may contain commands, keys and settings.
 */
export function withoutText(error: Error): Error {
  if (!(error instanceof ReplyError)) return error;
  const code = /^[A-Z]{2,24}(?= |$)/.exec(error.message)?.[0] ?? "ERR";
  return Object.assign(new Error("redis: error reply"), { code });
}
