import type { Usage } from "../http/request-context.ts";
import { tokenCount, usdAmount } from "./stated-amounts.ts";

/**
 * Reads the usage object of an answer.
 * @param value of the member `usage`, parsed. @returns undefined when it states neither tokens nor a cost.
 */
export function toUsage(value: unknown): Usage | undefined {
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
