import type { JSX } from "preact";
import type { BudgetStatus } from "../api/types.ts";
import { Meter } from "../components/meter.tsx";
import { Badge, Empty } from "../components/states.tsx";
import { formatUsd } from "../format/numbers.ts";
import { formatAge, formatTime } from "../format/times.ts";

const NAMES = { day: "Day", week: "Week", month: "Month", total: "Total" } as const;

function toLeftShare({ limit_usd: limit, remaining_usd: left }: BudgetStatus): number {
  return limit > 0 ? left / limit : 0;
}

/** Returns the budget of which the smallest part remains; undefined without a budget. */
export function findTightest(budgets: readonly BudgetStatus[]): BudgetStatus | undefined {
  return budgets.reduce<BudgetStatus | undefined>(
    (tightest, budget) => (tightest && toLeftShare(tightest) <= toLeftShare(budget) ? tightest : budget),
    undefined,
  );
}

/** Describes a budget in a sentence, for screen readers and titles. */
function describeBudget(budget: BudgetStatus): string {
  const { period, limit_usd: limit, spent_usd: spent, presumed_usd: presumed } = budget;
  const parts = [
    `${formatUsd(spent)} spent`,
    ...(presumed > 0 ? [`${formatUsd(presumed)} presumed`] : []),
    `${formatUsd(budget.reserved_usd)} reserved`,
    `${formatUsd(budget.remaining_usd)} left`,
  ];
  return `${NAMES[period]} budget of ${formatUsd(limit)} (${budget.mode}): ${parts.join(", ")}`;
}

function BudgetMeter({ budget }: { readonly budget: BudgetStatus }): JSX.Element {
  const { spent_usd: spent, presumed_usd: presumed, reserved_usd: reserved, limit_usd: limit } = budget;
  return <Meter label={describeBudget(budget)} value={spent + presumed} reserved={reserved} max={limit} />;
}

/** The tightest budget of a key or a group, in a cell of a table. */
export function BudgetCell({ budgets }: { readonly budgets: readonly BudgetStatus[] }): JSX.Element {
  const budget = findTightest(budgets);
  if (!budget) return <span class="muted">no budget</span>;
  return (
    <div class="budget-cell">
      <span class="small nowrap">
        {formatUsd(budget.remaining_usd)} of {formatUsd(budget.limit_usd)} left
        <span class="muted"> / {budget.period}</span>
      </span>
      <BudgetMeter budget={budget} />
    </div>
  );
}

/** The current periods of budgets, each with its amounts and the time at which it renews. */
export function BudgetList({ budgets }: { readonly budgets: readonly BudgetStatus[] }): JSX.Element {
  if (budgets.length === 0) return <Empty title="No budget">Edit the limits to set one.</Empty>;
  return (
    <ul class="budgets">
      {budgets.map((budget) => (
        <li key={budget.period}>
          <div class="budget-head">
            <strong>
              {NAMES[budget.period]}: {formatUsd(budget.limit_usd)}
            </strong>
            <Badge tone={budget.remaining_usd === 0 ? "bad" : "neutral"}>
              {budget.remaining_usd === 0 ? "used up" : budget.mode}
            </Badge>
          </div>
          <BudgetMeter budget={budget} />
          <BudgetAmounts budget={budget} />
          <span class="muted small">
            {budget.renews_at === null
              ? "Never renews"
              : `Renews ${formatTime(budget.renews_at)}, ${formatAge(budget.renews_at)}`}
          </span>
        </li>
      ))}
    </ul>
  );
}

function BudgetAmounts({ budget }: { readonly budget: BudgetStatus }): JSX.Element {
  const amounts = [
    ["Spent", budget.spent_usd, "Cost of settled requests"],
    ["Presumed", budget.presumed_usd, "Worst-case cost of ended requests whose cost is not known"],
    [
      "Reserved",
      budget.reserved_usd,
      "Held for requests in flight and requests to come; part of what is left",
    ],
    ["Left", budget.remaining_usd, "The limit without what is spent and presumed"],
  ] as const;
  return (
    <dl class="budget-amounts">
      {amounts.map(([name, usd, meaning]) => (
        <div key={name} title={`${meaning}: $${usd}`}>
          <dt>{name}</dt>
          <dd>{formatUsd(usd)}</dd>
        </div>
      ))}
    </dl>
  );
}
