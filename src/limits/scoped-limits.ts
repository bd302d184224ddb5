import { DAY_MS } from "../durations.ts";
import type { SharedLimit } from "../store/redis-limits.ts";
import type { KeyLimits, LimitSettings } from "./limit-settings.ts";

const MINUTE_MS = 60_000;
/** The places of a dead process are free again after this time. Living processes renew theirs every 10 s. */
const PLACE_MS = 40_000;

/** One limit of a key or of a group on requests, on tokens or on requests in flight. */
export interface ScopedLimit extends SharedLimit {
  /** Names the limit in an error, such as `60 requests per minute of group team-a`. */
  readonly text: string;
}

/** A key with its limits, as far as this folder needs it. */
export interface LimitedKey extends KeyLimits {
  readonly id: string;
  readonly name: string;
}

/** The limit of requests that a key has if it has none of its own. */
export interface DefaultLimit {
  /** 0: no limit. */
  readonly max: number;
  readonly windowMs: number;
}

/** All limits of a key and its group, by the moments at which they are checked. */
export interface LimitPlan {
  /** Checked for every request. */
  readonly requests: readonly ScopedLimit[];
  /** Checked for a request to a model, before its body is read. */
  readonly modelRequests: readonly ScopedLimit[];
  /** Checked again when the body has been read. */
  readonly tokens: readonly ScopedLimit[];
}

/** Whether a key or its group has a limit on requests, tokens or requests in flight. */
export function hasRateLimits({ limits, group }: KeyLimits): boolean {
  return isLimited(limits) || (group !== null && isLimited(group.limits));
}

function isLimited(limits: LimitSettings): boolean {
  return (
    limits.requestsPerMinute !== null ||
    limits.requestsPerDay !== null ||
    limits.tokensPerMinute !== null ||
    limits.maxInFlight !== null
  );
}

/**
 * Lists the limits of a key and its group.
 * @param defaultLimit applies if the key has no limit of requests per minute of its own.
 */
export function createLimitPlan(key: LimitedKey, defaultLimit: DefaultLimit): LimitPlan {
  const scopes = [{ id: `key:${key.id}`, name: `key ${key.name}`, limits: key.limits }];
  const { group } = key;
  if (group) scopes.push({ id: `group:${group.id}`, name: `group ${group.name}`, limits: group.limits });
  const requests: ScopedLimit[] = [];
  const tokens: ScopedLimit[] = [];
  const places: ScopedLimit[] = [];
  if (key.limits.requestsPerMinute === null && defaultLimit.max > 0)
    requests.push(createDefault(key, defaultLimit));
  for (const { id, name, limits } of scopes) {
    const add = (list: ScopedLimit[], max: number | null, rest: Omit<ScopedLimit, "max">): void => {
      if (max !== null) list.push({ ...rest, max, text: `${max} ${rest.text} of ${name}` });
    };
    const perMinute = { kind: "requests", windowMs: MINUTE_MS, text: "requests per minute" } as const;
    add(requests, limits.requestsPerMinute, { ...perMinute, key: `sluice:rate:minute:${id}` });
    const perDay = { kind: "requests", windowMs: DAY_MS, text: "requests per day" } as const;
    add(requests, limits.requestsPerDay, { ...perDay, key: `sluice:rate:day:${id}` });
    const ofTokens = { kind: "tokens", windowMs: MINUTE_MS, text: "tokens per minute" } as const;
    add(tokens, limits.tokensPerMinute, { ...ofTokens, key: `sluice:rate:tokens:${id}` });
    const inFlight = { kind: "places", windowMs: PLACE_MS, text: "requests in flight" } as const;
    add(places, limits.maxInFlight, { ...inFlight, key: `sluice:in-flight:${id}` });
  }
  return { requests, modelRequests: [...requests, ...tokens, ...places], tokens };
}

function createDefault({ id, name }: LimitedKey, { max, windowMs }: DefaultLimit): ScopedLimit {
  const text = `${max} requests per ${windowMs} ms of key ${name}`;
  return { kind: "requests", key: `sluice:rate:window:key:${id}`, max, windowMs, text };
}
