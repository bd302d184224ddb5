import rateLimit, { normalizeIP } from "@fastify/rate-limit";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { clientAddress } from "../http/client-address.ts";
import type { RedisStore } from "../store/redis.ts";

/** SDKs ignore a `retry-after` above this. */
const RETRY_AFTER_MAX_MS = 60_000;
/** How many callers a process remembers. A caller that is forgotten starts a new window. */
const REMEMBERED = 50_000;

/** Counts requests of the same caller in a fixed window of time. */
export interface Limit {
  /**
   * Counts one request. @param reply gets the `x-ratelimit-*` headers, if given.
   * @throws GatewayError 429 when there were too many.
   */
  consume(request: FastifyRequest, reply?: FastifyReply): Promise<void>;
}

export interface LimitOptions {
  /** Tells the counters of one limit from those of another in the same Redis. */
  readonly name: string;
  /** Requests per window; 0 counts nothing. */
  readonly max: number;
  readonly windowMs: number;
  readonly keyOf: (request: FastifyRequest) => string;
  /** Where replicas count together; undefined counts in this process. */
  readonly redis: RedisStore | undefined;
}

/** The caller's address as limits see it: one /64 network of IPv6 is one caller, or addresses could be changed at will. */
export function addressOf(request: FastifyRequest): string {
  return normalizeIP(clientAddress(request));
}

type Count = ReturnType<FastifyInstance["createRateLimit"]>;

/**
 * Makes a limit. The window is fixed: across its boundary up to twice `max` can pass. While Redis does not answer, this
 * process counts by itself, so that an outage neither stops callers nor sets them free.
 */
export async function createLimit(app: FastifyInstance, options: LimitOptions): Promise<Limit> {
  const { redis } = options;
  if (options.max === 0) return { consume: () => Promise.resolve() };
  const local = await counter(app, { ...options, redis: undefined });
  const shared = redis && (await counter(app, options));
  const countTogether = (request: FastifyRequest): ReturnType<Count> =>
    (shared ?? local)(request).catch((error: Error) => {
      redis?.failed(error);
      return local(request);
    });
  return {
    async consume(request, reply) {
      const count = await (shared && redis?.usable ? countTogether(request) : local(request));
      if (count.isAllowed) return;
      const headers = limitHeaders(count);
      if (!count.isExceeded) {
        reply?.headers(headers);
        return;
      }
      const waitMs = Math.max(1, Math.min(count.ttl, RETRY_AFTER_MAX_MS));
      throw new GatewayError(
        "rate_limit_exceeded",
        `Too many requests: at most ${count.max} per ${count.timeWindow} ms.`,
        {
          headers: {
            ...headers,
            "retry-after": String(Math.ceil(waitMs / 1000)),
            "retry-after-ms": String(waitMs),
          },
        },
      );
    },
  };
}

/** The plugin in a scope of its own: one instance of it has one store. */
async function counter(
  app: FastifyInstance,
  { name, max, windowMs, keyOf, redis }: LimitOptions,
): Promise<Count> {
  let count: Count | undefined;
  await app.register(async (scope) => {
    await scope.register(rateLimit, {
      global: false,
      max,
      timeWindow: windowMs,
      keyGenerator: keyOf,
      cache: REMEMBERED,
      nameSpace: `sluice:rate:${name}:`,
      ...(redis && { redis: redis.client }),
    });
    count = scope.createRateLimit();
  });
  if (count === undefined) throw new Error("the rate limit plugin was not registered");
  return count;
}

interface Counted {
  readonly max: number;
  readonly remaining: number;
  readonly ttlInSeconds: number;
}

/** Both families of names: the common one, in seconds, and OpenAI's. */
function limitHeaders({ max, remaining, ttlInSeconds }: Counted): Record<string, string> {
  const [limit, left, reset] = [String(max), String(remaining), String(ttlInSeconds)];
  return {
    "x-ratelimit-limit": limit,
    "x-ratelimit-remaining": left,
    "x-ratelimit-reset": reset,
    "x-ratelimit-limit-requests": limit,
    "x-ratelimit-remaining-requests": left,
    "x-ratelimit-reset-requests": `${reset}s`,
  };
}
