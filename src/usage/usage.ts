import { tokenCount, usdAmount } from "./stated-amounts.ts";

/** What one generation used and cost, as OpenRouter says. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
  /** US dollars; undefined when upstream did not say. */
  readonly costUsd: number | undefined;
  /** Whether the request used the account's own key at the provider (BYOK). */
  readonly isByok: boolean | undefined;
  /** US dollars that the provider charges; only with BYOK they come on top of `costUsd`. */
  readonly upstreamInferenceUsd: number | undefined;
}

const KEY = Buffer.from('"usage":');
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Reads the last usage object in the last bytes of an answer, streamed or not: OpenRouter sends usage in the last chunk
 * of a stream and at the end of a JSON answer. The bytes are searched and only the object is parsed.
 * @param tail the end of the answer. @returns undefined when there is none, or none that can be read.
 */
export function readUsage(tail: Buffer): Usage | undefined {
  // A quote inside a JSON string is escaped, so the unescaped key cannot be part of a text that a model wrote.
  for (let key = tail.lastIndexOf(KEY); key !== -1; key = key === 0 ? -1 : tail.lastIndexOf(KEY, key - 1)) {
    const start = key + KEY.length + leadingSpace(tail, key + KEY.length);
    // `"usage":null` stands in every chunk before the last.
    if (tail[start] !== OPEN_BRACE) continue;
    const end = endOfObject(tail, start);
    const usage = end === -1 ? undefined : parseUsage(tail.toString("utf8", start, end));
    if (usage) return usage;
  }
  return undefined;
}

function leadingSpace(json: Buffer, from: number): number {
  let length = 0;
  while (SPACES.has(json[from + length] ?? 0)) length++;
  return length;
}

function parseUsage(json: string): Usage | undefined {
  try {
    return toUsage(JSON.parse(json));
  } catch {
    return undefined;
  }
}

function endOfObject(json: Buffer, start: number): number {
  let depth = 0;
  let inString = false;
  for (let at = start; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) inString = !inString;
    else if (inString) at += byte === BACKSLASH ? 1 : 0;
    else if (byte === OPEN_BRACE) depth++;
    else if (byte === CLOSE_BRACE && --depth === 0) return at + 1;
  }
  return -1;
}

function toUsage(value: unknown): Usage | undefined {
  const usage = record(value);
  if (usage["prompt_tokens"] === undefined && usage["cost"] === undefined) return undefined;
  const promptDetails = record(usage["prompt_tokens_details"]);
  const isByok = usage["is_byok"];
  return {
    promptTokens: tokenCount(usage["prompt_tokens"]) ?? 0,
    completionTokens: tokenCount(usage["completion_tokens"]) ?? 0,
    cachedTokens: tokenCount(promptDetails["cached_tokens"]) ?? 0,
    cacheWriteTokens: tokenCount(promptDetails["cache_write_tokens"]) ?? 0,
    reasoningTokens: tokenCount(record(usage["completion_tokens_details"])["reasoning_tokens"]) ?? 0,
    costUsd: usdAmount(usage["cost"]),
    isByok: typeof isByok === "boolean" ? isByok : undefined,
    upstreamInferenceUsd: usdAmount(record(usage["cost_details"])["upstream_inference_cost"]),
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
