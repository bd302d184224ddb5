import type { Usage } from "../http/request-context.ts";
import type { TokenCount } from "./record.ts";
import { parseTokenCount, parseUsdAmount } from "./stated-amounts.ts";
import { type JsonObject, readFields } from "../json-values.ts";

type Tokens = Record<TokenCount, number>;

/**
 * Parses the usage object of a completion, of the Responses API, of embeddings or of a reranking.
 * @param value the parsed member `usage`. @returns undefined if it states neither tokens nor a cost.
 */
export function parseUsage(value: unknown): Usage | undefined {
  const usage = readFields(value);
  // Rerankings state only the total.
  const prompt = usage["prompt_tokens"] ?? usage["input_tokens"] ?? usage["total_tokens"];
  if (prompt == null && usage["cost"] == null) return undefined;
  const promptDetails = readFields(usage["prompt_tokens_details"] ?? usage["input_tokens_details"]);
  const completionDetails = readFields(usage["completion_tokens_details"] ?? usage["output_tokens_details"]);
  return toUsage(usage, {
    prompt_tokens: count(prompt),
    completion_tokens: count(usage["completion_tokens"] ?? usage["output_tokens"]),
    cached_tokens: count(promptDetails["cached_tokens"]),
    cache_write_tokens: count(promptDetails["cache_write_tokens"]),
    reasoning_tokens: count(completionDetails["reasoning_tokens"]),
    prompt_audio_tokens: count(promptDetails["audio_tokens"]),
  });
}

/**
 * Parses the usage object of Anthropic's Messages API. There, `input_tokens` does not include tokens that are read from or
 * written to the cache; `prompt_tokens` of the ledger does.
 * @param value the parsed member `usage`. @returns undefined if it states neither tokens nor a cost.
 */
export function parseMessagesUsage(value: unknown): Usage | undefined {
  const usage = readFields(value);
  if (usage["input_tokens"] == null && usage["output_tokens"] == null && usage["cost"] == null)
    return undefined;
  const cachedTokens = count(usage["cache_read_input_tokens"]);
  const cacheWriteTokens = count(usage["cache_creation_input_tokens"]);
  return toUsage(usage, {
    prompt_tokens: count(usage["input_tokens"]) + cachedTokens + cacheWriteTokens,
    completion_tokens: count(usage["output_tokens"]),
    cached_tokens: cachedTokens,
    cache_write_tokens: cacheWriteTokens,
    reasoning_tokens: count(readFields(usage["output_tokens_details"])["thinking_tokens"]),
    prompt_audio_tokens: 0,
  });
}

function count(value: unknown): number {
  return parseTokenCount(value) ?? 0;
}

function toUsage(usage: JsonObject, tokens: Tokens): Usage {
  const isByok = usage["is_byok"];
  return {
    tokens,
    costUsd: parseUsdAmount(usage["cost"]),
    isByok: typeof isByok === "boolean" ? isByok : undefined,
    upstreamInferenceUsd: parseUsdAmount(readFields(usage["cost_details"])["upstream_inference_cost"]),
  };
}
