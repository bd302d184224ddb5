import { z } from "zod";
import type { Sum } from "../metering/record.ts";

// Sums of requests, tokens and money as JSON.

const COUNT_DESCRIPTION =
  "A number; from 2^53, a string of its digits, because not every JSON parser reads such numbers exactly";
const DESCRIPTIONS: Readonly<Partial<Record<Sum, string>>> = {
  unknown_requests: "The part of the requests whose cost will never be known",
  failed_requests:
    "The part of the requests whose client got an error or an incomplete response, and had not disconnected",
  cancelled_requests: "The part of the requests whose client disconnected before the end of the response",
  cost_nanodollars: "The cost that OpenRouter charges",
  byok_nanodollars:
    "The additional cost that providers charge for requests with the account's own key (BYOK)",
};

/** A schema of a sum, which {@link formatCount} formats. */
export function describeSum(sum: Sum): z.ZodType<number | string> {
  return z.union([z.int(), z.string().regex(/^\d+$/)]).describe(DESCRIPTIONS[sum] ?? COUNT_DESCRIPTION);
}

/** Formats a sum of any size: as a number, or as a string of its digits if a number is not exact. */
export function formatCount(sum: bigint): number | string {
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : String(sum);
}
