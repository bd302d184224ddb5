import type { RequestRow } from "../../src/metering/record.ts";
import { correctUnknownCosts, type UnknownCostsOptions } from "../../src/metering/unknown-costs.ts";
import { UnknownCostsSummary } from "../../src/metering/unknown-costs-summary.ts";
import { DAY_MS } from "../../src/durations.ts";
import { createSettledRow, NOVEMBER } from "./ledger-rows.ts";

/** The period of the rows that `createUnknownRow` creates. */
export const PERIOD = { from: NOVEMBER, to: NOVEMBER + DAY_MS };

/** Creates the row of a request whose cost is unknown. Different values of `number` give different ids. */
export function createUnknownRow(number: number, fields: Partial<RequestRow> = {}): RequestRow {
  return createSettledRow(
    number,
    {
      state: "unknown",
      cost_source: "unknown",
      cost_nanodollars: null,
      generation_id: `gen-${number}`,
      prompt_tokens: null,
      completion_tokens: null,
      ...fields,
    },
    number,
  );
}

/** Corrects the unknown costs of `PERIOD`. @returns the sums, the end, and the number of pauses. */
export async function runCorrection(
  options: Pick<UnknownCostsOptions, "database" | "findGeneration"> & Partial<UnknownCostsOptions>,
) {
  const summary = new UnknownCostsSummary(true);
  const pauses: number[] = [];
  const end = await correctUnknownCosts({
    period: PERIOD,
    isDryRun: false,
    signal: new AbortController().signal,
    onResult: (row, result, cost) => summary.add(row, result, cost),
    onPause: (_, pauseMs) => pauses.push(pauseMs),
    ...options,
  });
  return { summary, end, pauses };
}
