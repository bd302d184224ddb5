import { downloadCsv } from "../components/download.ts";
import { findTightest } from "./budget-bars.tsx";
import { findKeyState } from "./key-state.ts";
import type { ListedKey } from "./key-types.ts";

const CSV_HEAD = [
  "id",
  "name",
  "state",
  "role",
  "group",
  "owner",
  "prefix",
  "last_used_at",
  "month_cost_usd",
  "tightest_budget_period",
  "tightest_budget_limit_usd",
  "tightest_budget_spent_usd",
  "tightest_budget_reserved_usd",
  "tightest_budget_remaining_usd",
];

/** Saves the keys of the page as they are shown. */
export function saveKeys(rows: readonly ListedKey[]): void {
  const lines = rows.map((row) => {
    const budget = findTightest(row.current_budgets ?? []);
    return [
      row.id,
      row.name,
      findKeyState(row, Date.now()).label,
      row.role,
      row.group,
      row.owner,
      row.prefix,
      row.last_used_at,
      row.month_cost_usd ?? null,
      budget?.period ?? null,
      budget?.limit_usd ?? null,
      budget?.spent_usd ?? null,
      budget?.reserved_usd ?? null,
      budget?.remaining_usd ?? null,
    ];
  });
  downloadCsv("keys", CSV_HEAD, lines);
}
