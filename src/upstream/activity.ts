import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../errors.ts";
import { parseRetryAfter } from "../http/retry-after.ts";
import { isJsonObject, type JsonObject, readFields } from "../json-values.ts";
import type { ActivityLine, FetchActivity } from "../metering/activity-comparison.ts";
import { toNanodollars } from "../money.ts";
import { type BufferedResponse, fetchBuffered } from "./fetch-buffered.ts";
import type { Upstream } from "./openrouter.ts";

const MAX_BYTES = 16_777_216;
const ATTEMPTS_MAX = 4;
const RETRY_MIN_MS = 1_000;
/** `GET /keys` returns this many keys per page at most. */
const KEY_PAGES_MAX = 100;

/** Settings with keys, and what to do if OpenRouter refuses the key. */
const API_KEY_REMEDY = ["OPENROUTER_API_KEY", "set it to a valid key"] as const;
const MANAGEMENT_KEY_REMEDY = [
  "OPENROUTER_MANAGEMENT_KEY",
  "create a management key at openrouter.ai/settings/management-keys",
] as const;

/** The keys of the account that a comparison needs. */
export interface ActivityKeys {
  /** The key that the gateway uses for requests to models. */
  readonly apiKey: string;
  readonly managementKey: string;
}

/**
 * Finds the hash by which OpenRouter's API names the gateway's key: the SHA-256 of the key, if the account has a key with this
 * hash, and otherwise the hash of the only key with the same label.
 * @returns undefined if the account of the management key does not list the key.
 * @throws GatewayError if OpenRouter does not respond or refuses a key.
 */
export async function findKeyHash(
  upstream: Upstream,
  { apiKey, managementKey }: ActivityKeys,
): Promise<string | undefined> {
  const digest = createHash("sha256").update(apiKey).digest("hex");
  const known = await fetchData(upstream, `/keys/${digest}`, managementKey);
  if (isJsonObject(known)) return digest;
  const label = readFields(await fetchData(upstream, "/key", apiKey))["label"];
  const hashes: unknown[] = [];
  for (let page = 0, offset = 0; page < KEY_PAGES_MAX; page++) {
    const keys = await fetchData(upstream, `/keys?include_disabled=true&offset=${offset}`, managementKey);
    if (!Array.isArray(keys) || keys.length === 0) break;
    offset += keys.length;
    for (const key of keys.map(readFields)) if (key["label"] === label) hashes.push(key["hash"]);
  }
  const [hash] = hashes;
  return hashes.length === 1 && typeof hash === "string" ? hash : undefined;
}

/**
 * Creates a function that fetches OpenRouter's sums of one UTC day with `GET /activity`.
 * @param keyHash only requests with this key; undefined: requests with all keys of the account.
 * @returns a function that throws GatewayError if OpenRouter does not respond, refuses the key, or its response is invalid.
 */
export function createActivityReader(
  upstream: Upstream,
  managementKey: string,
  keyHash: string | undefined,
): FetchActivity {
  const filter = keyHash === undefined ? "" : `&api_key_hash=${encodeURIComponent(keyHash)}`;
  return async (date) => {
    const data = await fetchData(upstream, `/activity?date=${date}${filter}`, managementKey);
    if (!Array.isArray(data)) throw createInvalidError("/activity");
    // OpenRouter may return neighbouring days if it ignores the filter.
    return data
      .map(readFields)
      .filter((line) => String(line["date"]).startsWith(date))
      .map(toLine);
  };
}

function toLine(line: JsonObject): ActivityLine {
  const { model, model_permaslug: permaslug } = line;
  if (typeof model !== "string" || typeof permaslug !== "string") throw createInvalidError("/activity");
  return {
    model,
    permaslug,
    requests: readCount(line["requests"]),
    prompt_tokens: readCount(line["prompt_tokens"]),
    completion_tokens: readCount(line["completion_tokens"]),
    reasoning_tokens: readCount(line["reasoning_tokens"]),
    cost_nanodollars: readCount(toAmount(line["usage"])),
    byok_nanodollars: readCount(toAmount(line["byok_usage_inference"])),
  };
}

function toAmount(usd: unknown): number {
  return typeof usd === "number" ? toNanodollars(usd) : NaN;
}

function readCount(value: unknown): bigint {
  if (!Number.isSafeInteger(value)) throw createInvalidError("/activity");
  return BigInt(value as number);
}

/** Fetches the `data` of a response. Retries after a 429 or 5xx. @returns undefined after a 404. */
async function fetchData(upstream: Upstream, path: string, key: string): Promise<unknown> {
  const response = await fetchWithRetries(upstream, path, key);
  if (response.status === 404) return undefined;
  const name = path.replace(/\?.*/, "").replace(/^(\/keys\/).*/, "$1{hash}");
  if (response.status === 401 || response.status === 403) {
    const [setting, remedy] = name === "/key" ? API_KEY_REMEDY : MANAGEMENT_KEY_REMEDY;
    throw new GatewayError(
      "upstream_auth_failed",
      `OpenRouter refused ${setting} for ${name} with status ${response.status}; ${remedy}.`,
    );
  }
  if (response.status !== 200)
    throw new GatewayError(
      "upstream_error",
      `OpenRouter responded to ${name} with status ${response.status}.`,
    );
  const data = readFields(parseJson(response.body))["data"];
  if (data === undefined) throw createInvalidError(name);
  return data;
}

async function fetchWithRetries(upstream: Upstream, path: string, key: string): Promise<BufferedResponse> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetchBuffered(upstream, {
      path,
      authorization: `Bearer ${key}`,
      maxBytes: MAX_BYTES,
    });
    const { status, headers } = response;
    if ((status !== 429 && status < 500) || attempt === ATTEMPTS_MAX) return response;
    await sleep(Math.max(parseRetryAfter(headers) ?? 0, RETRY_MIN_MS * 2 ** (attempt - 1)));
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function createInvalidError(path: string): GatewayError {
  return new GatewayError(
    "upstream_bad_response",
    `OpenRouter's response to ${path} is not valid; run the command again, and report the error if it stays.`,
  );
}
