import type { FastifyReply } from "fastify";
import { GatewayError } from "../errors.ts";
import type { RedisStore } from "../store/redis.ts";
import { BlockedCallers } from "./blocked-callers.ts";
import { createRequestHeaders, createRetryHeaders } from "./limit-headers.ts";
import type { LimitDecisions, LimitStore } from "./limit-decisions.ts";
import { type WindowCount, LocalCounter } from "./local-counter.ts";

/** Limits the requests of each caller in a fixed window of time. */
export interface Limit {
  /**
   * Counts one request. @param reply gets the `x-ratelimit-*` headers, if given.
   * @throws GatewayError 429 if the caller has exceeded the limit.
   */
  consume(caller: string, reply?: FastifyReply): Promise<void>;
  /** Whether this process knows that the caller has exceeded the limit in its current window. Sends no Redis command. */
  isExceededBy(caller: string): boolean;
}

export interface LimitOptions {
  /** Distinguishes the counters of this limit from those of other limits in the same Redis. */
  readonly name: string;
  /** Requests per window; 0 disables the limit. */
  readonly max: number;
  readonly windowMs: number;
  /** The Redis in which all replicas count; undefined: this process counts alone. */
  readonly redis: RedisStore | undefined;
  /** Counts the decisions. */
  readonly decisions: LimitDecisions;
  /** Whether a caller that has exceeded the limit is refused without a Redis command until its window ends. */
  readonly refusesFromMemory?: boolean;
}

/**
 * Creates a limit with fixed windows, so up to twice `max` requests can pass around the boundary of two windows. While Redis
 * is unavailable, this process counts alone: callers are not blocked, and they still have a limit.
 */
export function createLimit(options: LimitOptions): Limit {
  if (options.max === 0) return { consume: () => Promise.resolve(), isExceededBy: () => false };
  return new FixedWindowLimit(options);
}

class FixedWindowLimit implements Limit {
  readonly #options: LimitOptions;
  readonly #local: LocalCounter;
  readonly #blocked = new BlockedCallers();

  constructor(options: LimitOptions) {
    this.#options = options;
    this.#local = new LocalCounter(options.windowMs);
  }

  isExceededBy(caller: string): boolean {
    return this.#blocked.remainingMs(caller) > 0;
  }

  async consume(caller: string, reply?: FastifyReply): Promise<void> {
    const { max } = this.#options;
    const { count, resetMs } = await this.#count(caller);
    if (count > max) {
      this.#blocked.add(caller, resetMs);
      throw this.#createRefusal(resetMs);
    }
    reply?.headers(createRequestHeaders(max, max - count, resetMs));
  }

  #count(caller: string): WindowCount | Promise<WindowCount> {
    const { redis, refusesFromMemory } = this.#options;
    const isShared = redis?.usable && !(refusesFromMemory && this.isExceededBy(caller));
    return isShared ? this.#countTogether(redis, caller) : this.#countLocally(caller);
  }

  async #countTogether(redis: RedisStore, caller: string): Promise<WindowCount> {
    const { name, windowMs } = this.#options;
    try {
      return this.#record("redis", await redis.count(`sluice:rate:${name}:${caller}`, windowMs));
    } catch (error) {
      redis.failed(error as Error);
      return this.#countLocally(caller);
    }
  }

  #countLocally(caller: string): WindowCount {
    const remainingMs = this.#blocked.remainingMs(caller);
    const counted =
      remainingMs > 0 ? { count: this.#options.max + 1, resetMs: remainingMs } : this.#local.count(caller);
    return this.#record("memory", counted);
  }

  #record(store: LimitStore, counted: WindowCount): WindowCount {
    this.#options.decisions.add(store, counted.count <= this.#options.max);
    return counted;
  }

  #createRefusal(resetMs: number): GatewayError {
    const { max, windowMs } = this.#options;
    return new GatewayError("rate_limit_exceeded", `Too many requests: at most ${max} per ${windowMs} ms.`, {
      headers: { ...createRequestHeaders(max, 0, resetMs), ...createRetryHeaders(resetMs) },
    });
  }
}
