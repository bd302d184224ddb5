import {
  REMAINING_REASONS,
  type RemainingReason,
  type UnknownCostsSummary,
} from "../metering/unknown-costs-summary.ts";
import { formatUsd } from "../money.ts";
import { formatTimestamp } from "./timestamp.ts";

/** The reasons why costs are still unknown, each with the remedy. */
const REMEDIES: Readonly<Record<RemainingReason, string>> = {
  not_found: "OpenRouter has no record; state the cost with --row if its activity page has the request",
  no_generation_id: "the gateway never received an id; state the cost with --row if the activity page has it",
  not_final: "OpenRouter has not counted the tokens yet; run the command again in an hour",
  failed: "only this lookup failed, or the record is invalid; run the command again",
  not_looked_up: "too many lookups failed; run the command again later",
};

/** The counts of a correction, with an object for each reason and each key. Money is exact, in decimal digits. */
export interface UnknownCostsJson {
  readonly found: number;
  readonly corrected: number;
  readonly corrected_cost_usd: string;
  readonly corrected_elsewhere: number;
  readonly above_reservation: number;
  readonly still_unknown: number;
  readonly remaining: readonly Readonly<Record<"reason" | "requests" | "reserved_usd" | "action", unknown>>[];
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Formats the counts of a correction. */
export function toUnknownCostsJson(summary: UnknownCostsSummary): UnknownCostsJson {
  return {
    found: summary.found,
    corrected: summary.corrected,
    corrected_cost_usd: formatUsd(summary.correctedNanodollars),
    corrected_elsewhere: summary.correctedElsewhere,
    above_reservation: summary.aboveReservation,
    still_unknown: summary.stillUnknown,
    remaining: REMAINING_REASONS.flatMap((reason) => {
      const remaining = summary.remaining.get(reason);
      return remaining
        ? [
            {
              reason,
              requests: remaining.requests,
              reserved_usd: formatUsd(remaining.reservedNanodollars),
              action: REMEDIES[reason],
            },
          ]
        : [];
    }),
    keys: [...summary.keys].map(([key, sums]) => ({
      key,
      corrected: sums.corrected,
      corrected_cost_usd: formatUsd(sums.correctedNanodollars),
      still_unknown: sums.remaining,
      reserved_usd: formatUsd(sums.reservedNanodollars),
    })),
  };
}

/** Formats the listed rows whose cost is still unknown. */
export function toRemainingRowsJson({ rows }: UnknownCostsSummary): Readonly<Record<string, unknown>>[] {
  return rows.map(({ row, reason }) => ({
    row: row.id,
    request_id: row.request_id,
    generation_id: row.generation_id,
    key: row.key_name,
    model: row.forwarded_model,
    started_at: formatTimestamp(row.started_at),
    reserved_usd: row.reserved_nanodollars === null ? null : formatUsd(row.reserved_nanodollars),
    reason,
  }));
}
