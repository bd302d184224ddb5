import { type NamedBudget, readCurrentBudgets } from "../metering/sql/budget-status.ts";
import { NANODOLLARS_PER_USD } from "../money.ts";
import type { Database } from "../store/database.ts";
import type { CollectorRegistry, LabelledValue } from "./collector-registry.ts";
import { DATABASE_CACHE_MS } from "./ledger.ts";

/** Each budget has three series. */
const BUDGETS_MAX = 1_000;

/** Adds the metrics of the budgets of keys and groups. They show the names of keys, and never those of end users. */
export function registerBudgets(collectors: CollectorRegistry, database: Database): void {
  collectors.add({
    name: "budgets",
    cacheMs: DATABASE_CACHE_MS,
    metrics: {
      sluice_budget_limit_usd: { type: "gauge", help: "Limit of a budget of a key or group." },
      sluice_budget_spent_usd: { type: "gauge", help: "Spent in the current period of a budget." },
      sluice_budget_reserved_usd: {
        type: "gauge",
        help: "Held by all replicas for requests in flight, requests to come, and requests without a known cost.",
      },
      sluice_budgets_omitted: {
        type: "gauge",
        help: `1 if there are more than ${BUDGETS_MAX} budgets, so that the metrics of budgets lack some; otherwise 0.`,
      },
    },
    read: async () => {
      const { budgets, isComplete } = await readCurrentBudgets(database, BUDGETS_MAX, Date.now());
      const list = (amount: (budget: NamedBudget) => number): LabelledValue[] =>
        budgets.map((budget) => ({
          labels: { scope: budget.scope, name: budget.name, period: budget.period },
          value: amount(budget) / NANODOLLARS_PER_USD,
        }));
      return {
        sluice_budget_limit_usd: list(({ limit }) => limit),
        sluice_budget_spent_usd: list(({ spent }) => spent),
        sluice_budget_reserved_usd: list(({ presumed, reserved }) => presumed + reserved),
        sluice_budgets_omitted: Number(!isComplete),
      };
    },
  });
}
