import type { BudgetStatus } from "../budgets/sql/read-budgets.ts";
import type { LimitSettings } from "../limits/limit-settings.ts";
import { toUsd } from "../money.ts";
import { toBudgetStatusJson, toLimitsJson } from "../presentation/limit-json.ts";
import { formatTable } from "../presentation/table.ts";
import { printResult } from "./session.ts";

/** Prints a key or a group, and then the current periods of its budgets. @param noun names the rows of the table. */
export function printWithBudgets(
  json: Record<string, unknown>,
  row: Readonly<Record<string, unknown>>,
  budgets: readonly BudgetStatus[],
  { asJson, noun }: { readonly asJson: boolean; readonly noun: string },
): void {
  const rows = budgets.map(toBudgetStatusJson);
  printResult({ ...json, budget_status: rows }, [row], asJson, noun);
  if (!asJson && rows.length > 0) process.stdout.write(`\n${formatTable(rows, "budgets")}`);
}

const UNITS: Readonly<Record<string, string>> = {
  requests_per_minute: "requests/min",
  requests_per_day: "requests/day",
  tokens_per_minute: "tokens/min",
  max_in_flight: "in flight",
};

/** Formats limits for a cell of a table, such as `day $0.45, month $10 soft, 60 requests/min`; null without limits. */
export function formatLimits(limits: LimitSettings): string | null {
  const { budgets: _, ...counts } = toLimitsJson(limits);
  const parts = Object.entries(limits.budgets).map(
    ([period, { limitNanodollars, mode }]) =>
      `${period} $${toUsd(limitNanodollars)}${mode === "soft" ? " soft" : ""}`,
  );
  for (const [name, count] of Object.entries(counts))
    if (count !== null) parts.push(`${count} ${UNITS[name] ?? name}`);
  return parts.length === 0 ? null : parts.join(", ");
}
