import type { Usage } from "../http/request-context.ts";
import type { TokenCount } from "./record.ts";
import { parseTokenCount, parseUsdAmount } from "./stated-amounts.ts";
import { readFields } from "../json-values.ts";

/**
 * Parses the usage object of a response.
 * @param value the parsed member `usage`. @returns undefined if it states neither tokens nor a cost.
 */
export function parseUsage(value: unknown): Usage | undefined {
  const usage = readFields(value);
  if (usage["prompt_tokens"] === undefined && usage["cost"] === undefined) return undefined;
  const promptDetails = readFields(usage["prompt_tokens_details"]);
  const completionDetails = readFields(usage["completion_tokens_details"]);
  const isByok = usage["is_byok"];
  return {
    tokens: {
      prompt_tokens: parseTokenCount(usage["prompt_tokens"]) ?? 0,
      completion_tokens: parseTokenCount(usage["completion_tokens"]) ?? 0,
      cached_tokens: parseTokenCount(promptDetails["cached_tokens"]) ?? 0,
      cache_write_tokens: parseTokenCount(promptDetails["cache_write_tokens"]) ?? 0,
      reasoning_tokens: parseTokenCount(completionDetails["reasoning_tokens"]) ?? 0,
      prompt_audio_tokens: parseTokenCount(promptDetails["audio_tokens"]) ?? 0,
    } satisfies Record<TokenCount, number>,
    costUsd: parseUsdAmount(usage["cost"]),
    isByok: typeof isByok === "boolean" ? isByok : undefined,
    upstreamInferenceUsd: parseUsdAmount(readFields(usage["cost_details"])["upstream_inference_cost"]),
  };
}
