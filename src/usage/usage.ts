/** What one generation used and cost, as OpenRouter says. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  /** US dollars; undefined when upstream did not say. */
  readonly costUsd: number | undefined;
}

/**
 * Reads the usage object of an answer.
 * @param value of the member `usage`, parsed. @returns undefined when it states neither tokens nor a cost.
 */
export function toUsage(value: unknown): Usage | undefined {
  const usage = record(value);
  if (usage["prompt_tokens"] === undefined && usage["cost"] === undefined) return undefined;
  return {
    promptTokens: count(usage["prompt_tokens"]) ?? 0,
    completionTokens: count(usage["completion_tokens"]) ?? 0,
    cachedTokens: count(record(usage["prompt_tokens_details"])["cached_tokens"]) ?? 0,
    reasoningTokens: count(record(usage["completion_tokens_details"])["reasoning_tokens"]) ?? 0,
    costUsd: count(usage["cost"]),
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}
