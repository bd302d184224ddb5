/** A limit whose count is in Redis, so that all replicas share it. */
export interface SharedLimit {
  /** Name of the counter, and key in Redis. */
  readonly key: string;
  /** `places` counts requests in flight; the others count in fixed windows. */
  readonly kind: "requests" | "tokens" | "places";
  readonly max: number;
  /** Length of a window; for places, the time after which the place of a dead process is free again. In ms. */
  readonly windowMs: number;
}

/** The state of one limit. */
export interface Reading {
  /** With this request if it was admitted, otherwise without it. */
  readonly count: number;
  /** Remaining time of the window in ms; 0 for places. */
  readonly resetMs: number;
  /** Start of the window by Redis's clock, in ms since 1970: it identifies the window when a count is corrected. */
  readonly startedAt: number;
}

/** The decision on one request, with a reading of each limit, in the order of the limits. */
export interface Decision {
  readonly isAdmitted: boolean;
  readonly readings: readonly Reading[];
}

/** A correction of the tokens that a request has counted. */
export interface Correction {
  readonly limit: SharedLimit;
  /** Start of the window in which the tokens were counted, from the reading. */
  readonly startedAt: number;
  /** The actual number minus the counted number. */
  readonly tokens: number;
}

/**
 * Reads the window of a counter. A window that is over, or that begins in the future because Redis's clock was set back, is
 * replaced by a new one. Numbers are written with `%.0f`, because Lua writes large ones with an exponent.
 */
const WINDOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function read(key, length)
  local window = redis.call('HMGET', key, 'start', 'used')
  local start, used = tonumber(window[1] or ''), tonumber(window[2] or '')
  if not start or not used or start > now or now - start >= length then return now, 0 end
  return start, used
end
local function write(key, start, used, length)
  redis.call('HSET', key, 'start', string.format('%.0f', start), 'used', string.format('%.0f', used))
  redis.call('PEXPIRE', key, length)
end
`;

/**
 * Admits a request if it fits in all limits, and only then counts it. KEYS: one counter per limit. ARGV: the member of the
 * request, then for each limit the amount (-1: one place), the maximum and the length. Returns 1 or 0, then for each limit
 * count, remaining ms and start. A set of places has the expiry of each place as its score.
 */
export const DECIDE_SCRIPT = `${WINDOW}
local admitted = 1
local used, starts = {}, {}
for i, key in ipairs(KEYS) do
  local amount, max, length = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  if amount < 0 then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
    redis.call('ZREMRANGEBYSCORE', key, string.format('(%.0f', now + length), '+inf')
    starts[i], used[i] = now, redis.call('ZCARD', key)
  else
    starts[i], used[i] = read(key, length)
  end
  if used[i] + math.max(math.abs(amount), 1) > max then admitted = 0 end
end
local reply = {admitted}
for i, key in ipairs(KEYS) do
  local amount, length = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i + 1])
  if admitted == 1 and amount ~= 0 then
    used[i] = used[i] + math.abs(amount)
    if amount < 0 then
      redis.call('ZADD', key, string.format('%.0f', now + length), ARGV[1])
      redis.call('PEXPIRE', key, length)
    else
      write(key, starts[i], used[i], length)
    end
  end
  local reset = amount < 0 and 0 or length - (now - starts[i])
  reply[3 * i - 1], reply[3 * i], reply[3 * i + 1] = used[i], reset, starts[i]
end
return reply
`;

/**
 * Releases the places of an ended request and corrects its tokens. KEYS: counters. ARGV: the member of the request, then for
 * each counter the start of the window (-1: a place), the difference and the length. If the window is over, a difference
 * above 0 counts in the current window, and one below 0 is dropped.
 */
export const END_SCRIPT = `${WINDOW}
for i, key in ipairs(KEYS) do
  local start, tokens, length = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  if start < 0 then
    redis.call('ZREM', key, ARGV[1])
  else
    local current, used = read(key, length)
    if current == start or tokens > 0 then write(key, current, math.max(0, used + tokens), length) end
  end
end
return 1
`;

/** Extends the time of places. KEYS: one set of places. ARGV: the time in ms, then the members. */
export const RENEW_SCRIPT = `${WINDOW}
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[1]), ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`;

/** The arguments of {@link DECIDE_SCRIPT} after the script. @param tokens to count in limits on tokens; 0 only checks them. */
export function createDecideArguments(
  limits: readonly SharedLimit[],
  tokens: number,
  member: string,
): (string | number)[] {
  const values: (string | number)[] = [member];
  for (const { kind, max, windowMs } of limits) values.push(getAmount(kind, tokens), max, windowMs);
  return [...limits.map(({ key }) => key), ...values];
}

function getAmount(kind: SharedLimit["kind"], tokens: number): number {
  if (kind === "tokens") return tokens;
  return kind === "places" ? -1 : 1;
}

/** The arguments of {@link END_SCRIPT} after the script. @param places the limits whose places are released. */
export function createEndArguments(
  places: readonly SharedLimit[],
  corrections: readonly Correction[],
  member: string,
): (string | number)[] {
  const values: (string | number)[] = [member];
  for (const { windowMs } of places) values.push(-1, 0, windowMs);
  for (const { limit, startedAt, tokens } of corrections) values.push(startedAt, tokens, limit.windowMs);
  return [...places.map(({ key }) => key), ...corrections.map(({ limit }) => limit.key), ...values];
}

/**
 * Validates the reply to {@link DECIDE_SCRIPT}: a proxy or a server other than Redis may return anything, and an invalid
 * count would disable a limit.
 * @returns undefined if the reply is invalid.
 */
export function readDecision(
  reply: unknown,
  limits: readonly SharedLimit[],
  tokens: number,
): Decision | undefined {
  if (!Array.isArray(reply) || reply.length !== 1 + 3 * limits.length) return undefined;
  const [admitted, ...numbers] = reply as unknown[];
  if (admitted !== 0 && admitted !== 1) return undefined;
  const readings: Reading[] = [];
  for (const [index, { max, windowMs }] of limits.entries()) {
    const [count, resetMs, startedAt] = numbers.slice(3 * index, 3 * index + 3);
    if (!isWholeNumber(count, 0, admitted === 1 ? max : Number.MAX_SAFE_INTEGER)) return undefined;
    if (!isWholeNumber(resetMs, 0, windowMs)) return undefined;
    if (!isWholeNumber(startedAt, 0, Number.MAX_SAFE_INTEGER)) return undefined;
    readings.push({ count, resetMs, startedAt });
  }
  const isAdmitted = admitted === 1;
  if (!isAdmitted && findExceeded({ isAdmitted, readings }, limits, tokens).length === 0) return undefined;
  return { isAdmitted, readings };
}

/** Returns the indexes of the limits that refuse a request. @param decision a refusal. */
export function findExceeded(
  { readings }: Decision,
  limits: readonly SharedLimit[],
  tokens: number,
): number[] {
  const indexes = [...limits.keys()];
  return indexes.filter((index) => {
    const { kind, max } = limits[index] as SharedLimit;
    return (readings[index]?.count ?? 0) + (kind === "tokens" ? Math.max(tokens, 1) : 1) > max;
  });
}

/** Whether a value of a reply is a safe integer within bounds, both included. */
export function isWholeNumber(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}
