import { randomBytes } from "node:crypto";
import type { FastifyReply } from "fastify";
import type { RequestContext } from "../http/request-context.ts";
import type { RedisStore } from "../store/redis.ts";
import { type Decision, findExceeded, type Reading } from "../store/redis-limits.ts";
import { type HoldOwner, KeyLimitHold } from "./key-limit-hold.ts";
import type { LimitDecisions, LimitStore } from "./limit-decisions.ts";
import { createLimitError, createLimitHeaders, createTooLargeError } from "./limit-headers.ts";
import { LocalWindows } from "./local-windows.ts";
import { Places } from "./places.ts";
import { SharedPlaces } from "./shared-places.ts";
import {
  createLimitPlan,
  type DefaultLimit,
  type LimitedKey,
  type LimitPlan,
  type ScopedLimit,
} from "./scoped-limits.ts";

export interface KeyLimiterOptions {
  /** The Redis in which all replicas count; undefined: this process counts alone. */
  readonly redis: RedisStore | undefined;
  /** Counts the decisions. A request to a model of a key with limits on tokens has two. */
  readonly decisions: LimitDecisions;
  /** Applies to keys without a limit of requests per minute of their own. */
  readonly defaultLimit: DefaultLimit;
}

/** The limits that are checked together, and the tokens to count under limits on tokens. */
interface LimitCheck {
  readonly limits: readonly ScopedLimit[];
  /** 0 only checks that tokens are left. */
  readonly tokens: number;
  /** Gets the places and tokens of an admitted request. */
  readonly hold?: KeyLimitHold;
}

/**
 * Enforces the limits of keys and their groups on requests, tokens and requests in flight. A request is counted only if it
 * fits in all limits that are checked at the same moment. With Redis, all replicas count together, and a decision takes one
 * round trip. While Redis is unavailable, this process counts alone, from the last counts that Redis stated.
 */
export class KeyLimiter implements HoldOwner {
  readonly #options: KeyLimiterOptions;
  readonly #plans = new WeakMap<LimitedKey, LimitPlan>();
  readonly windows = new LocalWindows();
  readonly places = new Places();
  readonly #instance = randomBytes(6).toString("base64url");
  #memberCount = 0;
  /** Undefined without Redis. */
  readonly shared: SharedPlaces | undefined;

  constructor(options: KeyLimiterOptions) {
    this.#options = options;
    if (options.redis) this.shared = new SharedPlaces(options.redis, this.places);
  }

  /** Stops the commands to Redis. */
  close(): void {
    this.shared?.close();
  }

  /**
   * Counts a request that calls no model, and adds the headers of its limits to the response.
   * @throws GatewayError 429 if a limit is reached.
   */
  async admitRead(key: LimitedKey, reply: FastifyReply): Promise<void> {
    const check = { limits: this.#getPlan(key).requests, tokens: 0 };
    if (check.limits.length > 0) answer(reply, check, await this.#decide(check));
  }

  /**
   * Counts a request to a model and takes its places in flight, before its body is read. The context gets a hold, which must
   * be ended when the request ends. Limits on tokens refuse the request only if no token is left.
   * @throws GatewayError 429 if a limit is reached.
   */
  async admitModelRequest(context: RequestContext, key: LimitedKey, reply: FastifyReply): Promise<void> {
    const plan = this.#getPlan(key);
    const hold = new KeyLimitHold(this, plan, `${this.#instance}:${(this.#memberCount++).toString(36)}`);
    context.limitHold = hold;
    const check = { limits: plan.modelRequests, tokens: 0, hold };
    const decision = await this.#decide(check);
    // The request may have ended while Redis decided.
    if (context.hasEnded) hold.end(context);
    answer(reply, check, decision);
  }

  /**
   * Counts the estimated tokens of a request, and adds the headers of the limits on tokens to the response.
   * @throws GatewayError 429 if a limit is reached.
   */
  async admitTokens(hold: KeyLimitHold, reply: FastifyReply, tokens: number): Promise<void> {
    const limits = hold.plan.tokens;
    const tooSmall = limits.find(({ max }) => tokens > max);
    if (tooSmall) {
      this.#options.decisions.add("memory", false);
      throw createTooLargeError(tooSmall, tokens);
    }
    const check = { limits, tokens, hold };
    answer(reply, check, await this.#decide(check));
  }

  #getPlan(key: LimitedKey): LimitPlan {
    let plan = this.#plans.get(key);
    if (!plan) {
      plan = createLimitPlan(key, this.#options.defaultLimit);
      this.#plans.set(key, plan);
    }
    return plan;
  }

  async #decide(check: LimitCheck): Promise<Decision> {
    const { redis } = this.#options;
    if (!redis?.usable) return this.#decideLocally(check);
    const { limits, tokens, hold } = check;
    try {
      const decision = await redis.decide(limits, tokens, hold?.member ?? "");
      this.shared?.releaseEnded();
      this.#noteDecision(check, decision);
      return this.#record("redis", check, decision);
    } catch (error) {
      redis.failed(error as Error);
      const decision = this.#decideLocally(check);
      if (!decision.isAdmitted && hold) this.shared?.releaseLater(limits, hold.member);
      return decision;
    }
  }

  /** Copies a decision of Redis to the memory of this process. */
  #noteDecision({ limits, tokens, hold }: LimitCheck, { isAdmitted, readings }: Decision): void {
    for (const [index, limit] of limits.entries()) {
      const reading = readings[index] as Reading;
      if (limit.kind !== "places") this.windows.replace(limit, reading);
      if (!isAdmitted || !hold) continue;
      if (limit.kind === "places") hold.addPlace(this.places.take(limit, hold.member));
      else if (limit.kind === "tokens" && tokens > 0)
        hold.addTokens({ limit, tokens, startedAt: reading.startedAt });
    }
  }

  /** Decides and counts in the memory of this process, in one turn of the event loop. */
  #decideLocally(check: LimitCheck): Decision {
    const { limits, tokens, hold } = check;
    const readings = limits.map((limit) => this.#read(limit));
    const isAdmitted = findExceeded({ isAdmitted: false, readings }, limits, tokens).length === 0;
    if (!isAdmitted) return this.#record("memory", check, { isAdmitted, readings });
    for (const limit of limits) {
      if (limit.kind === "requests") this.windows.add(limit, 1);
      else if (limit.kind === "places") hold?.addPlace(this.places.take(limit, hold.member));
      else if (tokens > 0) hold?.addTokens({ limit, tokens, window: this.windows.add(limit, tokens) });
    }
    return this.#record("memory", check, { isAdmitted, readings: limits.map((limit) => this.#read(limit)) });
  }

  /** Counts a decision, unless the key has no limits that apply to the request. */
  #record(store: LimitStore, { limits }: LimitCheck, decision: Decision): Decision {
    if (limits.length > 0) this.#options.decisions.add(store, decision.isAdmitted);
    return decision;
  }

  #read(limit: ScopedLimit): Reading {
    return limit.kind === "places"
      ? { count: this.places.count(limit), resetMs: 0, startedAt: 0 }
      : this.windows.read(limit);
  }
}

/** Adds the headers of the limits to the response. @throws GatewayError 429 if the request is refused. */
function answer(reply: FastifyReply, { limits, tokens }: LimitCheck, decision: Decision): void {
  const { isAdmitted, readings } = decision;
  reply.headers(createLimitHeaders(limits, readings));
  if (isAdmitted) return;
  // Of several limits that are reached, the error names the one that refuses requests for the longest time.
  const [index = 0] = findExceeded(decision, limits, tokens).toSorted(
    (a, b) => (readings[b]?.resetMs ?? 0) - (readings[a]?.resetMs ?? 0),
  );
  throw createLimitError(limits[index] as ScopedLimit, readings[index] as Reading, tokens);
}
