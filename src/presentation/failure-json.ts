import { z } from "zod";
import type { FailureReport } from "../metering/sql/failures.ts";
import { describeTimestamp, formatTimestamp } from "./timestamp.ts";

/** The response of `GET /admin/v1/failures`. */
export const failuresSchema = z.object({
  from: describeTimestamp("The time back to which requests were read"),
  to: describeTimestamp("End of the period, not included"),
  is_complete: z
    .boolean()
    .describe("False if the period has too many requests, so that the oldest were not read"),
  data: z
    .array(
      z.object({
        endpoint: z.string().describe("Path below the base URL, such as chat/completions"),
        model: z
          .string()
          .nullable()
          .describe("Model id as forwarded to OpenRouter; null: the request named none"),
        provider: z.string().nullable().describe("Name of the provider; null: the response named none"),
        status: z.int().describe("HTTP status that the client got; 0: none"),
        outcome: z.string().nullable().describe("upstream_error, rejected, interrupted, or complete"),
        requests: z.int().describe("Number of these requests"),
        last_at: describeTimestamp("Start of the last of these requests"),
        last_id: z.string().describe("`id` of the last of these requests in GET /admin/v1/requests"),
      }),
    )
    .describe("At most 50 kinds of failures, most requests first"),
});

/** Creates the response of `GET /admin/v1/failures`. @param to end of the period, in ms since 1970. */
export function toFailuresJson(
  { from, isComplete, groups }: FailureReport,
  to: number,
): z.output<typeof failuresSchema> {
  return {
    from: formatTimestamp(from),
    to: formatTimestamp(to),
    is_complete: isComplete,
    data: groups.map(({ forwarded_model: model, last_at, ...group }) => ({
      ...group,
      model,
      last_at: formatTimestamp(last_at),
    })),
  };
}
