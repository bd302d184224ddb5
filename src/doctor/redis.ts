import type { Config } from "../config/config.ts";
import { inspectRedis, type RedisState } from "../store/redis-inspection.ts";
import { failed, ok, type Result, skipped, warning } from "./finding.ts";
import { describeError, findMedian, formatMs, readErrorCode } from "./finding-text.ts";

const PINGS = 10;

/** Checks the Redis server of the configuration, without changing it. */
export async function checkRedis(
  { redisUrl, redisTimeoutMs }: Config,
  signal: AbortSignal,
): Promise<Result[]> {
  if (redisUrl === undefined)
    return [skipped("REDIS_URL is not set: one gateway counts rate limits in its memory.")];
  let state: RedisState;
  try {
    state = await inspectRedis(redisUrl, PINGS, signal);
  } catch (error) {
    return [failed(`Redis is unusable: ${describeError(error)}.`, createRemedy(error))];
  }
  return [
    checkLatency(state, redisTimeoutMs),
    ...checkScripts(state),
    ...checkEviction(state),
    ...checkRole(state),
  ];
}

function createRemedy(error: unknown): string {
  const code = readErrorCode(error);
  if (/^(?:NOAUTH|WRONGPASS|NOPERM)/.test(code))
    return "Correct user name and password in REDIS_URL, and the rights of the user.";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return "Correct the host name in REDIS_URL, or the DNS of this machine.";
  return "Start Redis, and correct host and port in REDIS_URL (rediss:// for TLS) and the firewall between both. Until then, each gateway counts by itself.";
}

function checkLatency({ pingTimes, version }: RedisState, timeoutMs: number): Result {
  const median = findMedian(pingTimes);
  const facts = `Redis ${version ?? "of an unknown version"} responds in ${formatMs(median)} (median of ${pingTimes.length}); REDIS_TIMEOUT_MS is ${timeoutMs}.`;
  if (median < timeoutMs / 2) return ok(facts);
  const remedy = `Run Redis near the gateways, or set REDIS_TIMEOUT_MS to at least ${Math.ceil(median * 4)}. After a timeout, a gateway counts by itself for two seconds.`;
  return median < timeoutMs ? warning(facts, remedy) : failed(facts, remedy);
}

function checkScripts({ scriptError }: RedisState): Result[] {
  if (scriptError === undefined) return [ok("Redis runs scripts (EVAL).")];
  return [
    failed(
      `Redis refuses scripts: ${scriptError}.`,
      "Allow EVAL for the user of REDIS_URL: ACL SETUSER NAME +eval +ping +zrem. Until then, each gateway counts by itself.",
    ),
  ];
}

function checkEviction({ evictionPolicy }: RedisState): Result[] {
  if (evictionPolicy === undefined || evictionPolicy === "noeviction") return [];
  return [
    warning(
      `Redis has the maxmemory-policy ${evictionPolicy}: when its memory is full, it deletes counts of limits, and clients get more than their limits.`,
      "Run redis-cli CONFIG SET maxmemory-policy noeviction, and set it in redis.conf.",
    ),
  ];
}

function checkRole({ role }: RedisState): Result[] {
  if (role === undefined || role === "master") return [];
  return [
    failed(
      `This Redis is a ${role === "slave" ? "read-only replica" : role}.`,
      "Set REDIS_URL to the primary server.",
    ),
  ];
}
