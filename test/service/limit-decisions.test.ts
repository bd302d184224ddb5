import * as fc from "fast-check";
import type { FastifyReply } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { RequestContext } from "../../src/http/request-context.ts";
import { LimitDecisions } from "../../src/limits/limit-decisions.ts";
import { KeyLimiter } from "../../src/limits/key-limiter.ts";
import type { LimitedKey } from "../../src/limits/scoped-limits.ts";
import { RedisStore } from "../../src/store/redis.ts";
import { createGroup, createLimitedKey } from "../support/limited-app.ts";
import { startRedis } from "../support/redis.ts";
import { createRequestContext } from "../support/request-context.ts";
import { waitUntil } from "../support/wait.ts";

/** One step of a run: a request of a key, or the end of an admitted request. */
type Step =
  | { readonly key: number; readonly tokens: number; readonly leavesEarly: boolean }
  | { readonly ends: number; readonly actual: number | undefined };

const steps = fc.array(
  fc.oneof(
    fc.record({ key: fc.nat(1), tokens: fc.integer({ min: 1, max: 60 }), leavesEarly: fc.boolean() }),
    fc.record({ ends: fc.nat(9), actual: fc.option(fc.nat(80), { nil: undefined }) }),
  ),
  { minLength: 5, maxLength: 40 },
);
const max = fc.option(fc.integer({ min: 1, max: 12 }));
const limits = fc.record({
  requestsPerMinute: max,
  requestsPerDay: max,
  tokensPerMinute: fc.option(fc.integer({ min: 40, max: 300 })),
  maxInFlight: fc.option(fc.integer({ min: 1, max: 5 })),
});

/** Runs steps against a limiter. @returns the result of each request: its headers, and the code of its refusal. */
async function run(
  limiter: KeyLimiter,
  keys: readonly LimitedKey[],
  sequence: readonly Step[],
): Promise<unknown[]> {
  const results: unknown[] = [];
  const active: RequestContext[] = [];
  for (const step of sequence) {
    if ("key" in step) {
      const context = createRequestContext();
      results.push(await request(limiter, keys[step.key] as LimitedKey, { context, ...step }));
      if (context.endedAt === 0) active.push(context);
    } else {
      const [context] = active.splice(step.ends, 1);
      if (!context) continue;
      const tokens = { prompt_tokens: step.actual ?? 0, completion_tokens: 0 };
      const usage = { tokens, costUsd: 0, isByok: undefined, upstreamInferenceUsd: undefined };
      Object.assign(context, { wasSent: true, usage: step.actual === undefined ? undefined : usage });
      context.limitHold?.end(context);
    }
  }
  return results;
}

async function request(
  limiter: KeyLimiter,
  key: LimitedKey,
  { context, tokens, leavesEarly }: { context: RequestContext; tokens: number; leavesEarly: boolean },
): Promise<unknown> {
  const headers: Record<string, string> = {};
  const reply = { headers: (added: object) => Object.assign(headers, added) } as unknown as FastifyReply;
  const end = (): void => {
    context.endedAt = 1;
    context.limitHold?.end(context);
  };
  try {
    const admitted = limiter.admitModelRequest(context, key, reply);
    if (leavesEarly) end();
    await admitted;
    if (!leavesEarly && context.limitHold?.limitsTokens)
      await context.limitHold.admitTokens(context, reply, tokens);
    return pick(headers);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    end();
    return [pick(headers), error.code];
  }
}

/** Keeps the headers that do not depend on the time. Of two limits with equally little left, the later reset decides. */
function pick(headers: Record<string, string>): unknown {
  return Object.entries(headers).filter(([name]) => name.includes("remaining"));
}

test("decisions of Redis and of the memory of one process are the same", { timeout: 60_000 }, async () => {
  const { url } = await startRedis();
  const failures: Error[] = [];
  const onFailure = (error: Error): void => void failures.push(error);
  const redis = new RedisStore(url, { timeoutMs: 5_000, onFailure, onRecovery: () => {} });
  onTestFinished(() => redis.close());
  await waitUntil(() => redis.isReachable(), "Redis to be connected");
  const defaultLimit = { max: 20, windowMs: 60_000 };
  const shared = new KeyLimiter({ redis, defaultLimit, decisions: new LimitDecisions() });
  onTestFinished(() => shared.close());
  let count = 0;
  await fc.assert(
    fc.asyncProperty(limits, limits, steps, async (ofKey, ofGroup, sequence) => {
      const id = String(count++);
      const group = createGroup(id, ofGroup);
      const keys = ["a", "b"].map((name) => createLimitedKey(name + id, ofKey, group));
      const local = new KeyLimiter({ redis: undefined, defaultLimit, decisions: new LimitDecisions() });
      expect(await run(shared, keys, sequence)).toEqual(await run(local, keys, sequence));
      expect(failures).toEqual([]);
    }),
    { numRuns: 150 },
  );
});
