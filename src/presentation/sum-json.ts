import { z } from "zod";
import type { Sum } from "../metering/record.ts";

// Sums of requests, tokens and money as JSON.

const COUNT_DESCRIPTION =
  "A number; from 2^53, a string of its digits, because not every JSON parser reads such numbers exactly";
const DESCRIPTIONS: Readonly<Record<Sum, string>> = {
  requests: "Settled and unknown requests",
  unknown_requests: "The part of the requests whose cost will never be known",
  failed_requests:
    "The part of the requests whose client got an error or an incomplete response, and had not disconnected",
  cancelled_requests: "The part of the requests whose client disconnected before the end of the response",
  prompt_tokens: "Tokens of the prompts",
  completion_tokens: "Tokens of the responses, with the tokens of their reasoning",
  cached_tokens: "The part of the prompt tokens that was read from a provider's cache",
  cache_write_tokens: "Tokens that were written to a provider's cache",
  reasoning_tokens: "The part of the completion tokens that was reasoning",
  prompt_audio_tokens: "The part of the prompt tokens that was audio",
  cost_nanodollars: "The cost that OpenRouter charges",
  byok_nanodollars:
    "The additional cost that providers charge for requests with the account's own key (BYOK)",
};

/**
 * A schema of a sum, which {@link formatCount} formats.
 * @param description its meaning, if it differs from the one in usage reports.
 */
export function describeSum(sum: Sum, description = DESCRIPTIONS[sum]): z.ZodType<number | string> {
  const unit = sum.endsWith("_nanodollars") ? ", in nanodollars (1e-9 US dollars)" : "";
  return z
    .union([z.int(), z.string().regex(/^\d+$/)])
    .describe(`${description}${unit}. ${COUNT_DESCRIPTION}`);
}

/** A schema of a sum of money in US dollars. */
export function describeUsd(sum: Sum): z.ZodString {
  return z.string().describe(`${DESCRIPTIONS[sum]}, in US dollars: exact, in decimal digits`);
}

/** Formats a sum of any size: as a number, or as a string of its digits if a number is not exact. */
export function formatCount(sum: bigint): number | string {
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : String(sum);
}
