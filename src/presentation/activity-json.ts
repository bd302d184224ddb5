import { COMPARED_SUMS } from "../metering/sql/ledger-day.ts";
import {
  type ComparedSum,
  type ComparedSums,
  type DayComparison,
  isEqual,
  type ModelComparison,
} from "../metering/activity-comparison.ts";
import { formatUsd } from "../money.ts";

// The comparison of the ledger with OpenRouter's activity in JSON and tables. Money is exact, in decimal digits. A difference is
// OpenRouter's amount minus the ledger's.

type Fields = Readonly<Record<string, unknown>>;

/** Formats one compared day. Models without a difference are included. */
export function toDayJson(day: DayComparison): Fields {
  const { date, models, total, unknownRequests, unfinished } = day;
  return {
    date,
    ...toComparisonJson(total),
    unknown_requests: Number(unknownRequests),
    ...unfinished,
    models: models.map(({ model, ...sides }) => ({ model, ...toComparisonJson(sides) })),
  };
}

/** Formats the totals of all days. */
export function toTotalJson(days: readonly DayComparison[]): Fields {
  return toComparisonJson(sumTotals(days));
}

/** Formats the totals of the days as rows of a table, with a last row for all days. */
export function toDayRows(days: readonly DayComparison[]): Fields[] {
  const rows = days.map(({ date, total }) => toTableRow({ date }, total));
  return days.length > 1 ? [...rows, toTableRow({ date: "all days" }, sumTotals(days))] : rows;
}

/** Formats the models that differ as rows of a table. */
export function toDifferingRows(days: readonly DayComparison[]): Fields[] {
  return days.flatMap(({ date, models }) =>
    models
      .filter((comparison) => !isEqual(comparison))
      .map((comparison) => toTableRow({ date, model: comparison.model }, comparison)),
  );
}

type Sides = Omit<ModelComparison, "model">;

function sumTotals(days: readonly DayComparison[]): Sides {
  const sum = (side: keyof Sides): ComparedSums =>
    mapSums((name) => days.reduce((total, day) => total + day.total[side][name], 0n));
  return { ledger: sum("ledger"), openrouter: sum("openrouter") };
}

function toComparisonJson({ ledger, openrouter }: Sides): Fields {
  return {
    equal: isEqual({ ledger, openrouter }),
    ledger: toSumsJson(ledger),
    openrouter: toSumsJson(openrouter),
    difference: toSumsJson(subtract({ ledger, openrouter })),
  };
}

function toTableRow(group: Fields, { ledger, openrouter }: Sides): Fields {
  const difference = toSumsJson(subtract({ ledger, openrouter }));
  return {
    ...group,
    ledger_requests: Number(ledger.requests),
    openrouter_requests: Number(openrouter.requests),
    ledger_cost_usd: formatUsd(ledger.cost_nanodollars),
    openrouter_cost_usd: formatUsd(openrouter.cost_nanodollars),
    cost_difference_usd: difference["cost_usd"],
    byok_difference_usd: difference["byok_usd"],
    prompt_difference: difference["prompt_tokens"],
    completion_difference: difference["completion_tokens"],
    reasoning_difference: difference["reasoning_tokens"],
  };
}

function subtract({ ledger, openrouter }: Sides): ComparedSums {
  return mapSums((sum) => openrouter[sum] - ledger[sum]);
}

function mapSums(toValue: (sum: ComparedSum) => bigint): ComparedSums {
  return Object.fromEntries(COMPARED_SUMS.map((sum) => [sum, toValue(sum)])) as Record<ComparedSum, bigint>;
}

function toSumsJson(sums: ComparedSums): Fields {
  return Object.fromEntries(
    COMPARED_SUMS.map((sum) =>
      sum.endsWith("_nanodollars")
        ? [sum.replace("_nanodollars", "_usd"), formatUsd(sums[sum])]
        : [sum, Number(sums[sum])],
    ),
  );
}
