import type { BudgetAdmission } from "../budgets/budget-admission.ts";
import type { LimitDecisions, LimitStore } from "../limits/limit-decisions.ts";
import type { CollectorRegistry, LabelledValue } from "./collector-registry.ts";

export interface DecisionSources {
  readonly limitDecisions: LimitDecisions;
  /** undefined without a database. */
  readonly persistence: { readonly budgets: BudgetAdmission } | undefined;
}

/** Adds the metrics of the decisions of rate limits and budgets. */
export function registerDecisions(
  collectors: CollectorRegistry,
  { limitDecisions, persistence }: DecisionSources,
): void {
  collectors.add({
    name: "rate_limits",
    metrics: {
      sluice_rate_limit_decisions_total: {
        type: "counter",
        help: "Decisions of the limits on requests and tokens, failed logins and unknown URLs, by the store that counted.",
      },
    },
    read: () => ({ sluice_rate_limit_decisions_total: listLimitDecisions(limitDecisions) }),
  });
  if (!persistence) return;
  const { budgets } = persistence;
  collectors.add({
    name: "budget_decisions",
    metrics: {
      sluice_budget_decisions_total: {
        type: "counter",
        help: "Decisions of budgets about requests; code is the error code of a refusal.",
      },
    },
    read: () => ({ sluice_budget_decisions_total: listBudgetDecisions(budgets) }),
  });
}

function listLimitDecisions({ counts }: LimitDecisions): LabelledValue[] {
  return (Object.keys(counts) as LimitStore[]).flatMap((store) => [
    { labels: { decision: "admitted", store }, value: counts[store].admitted },
    { labels: { decision: "refused", store }, value: counts[store].refused },
  ]);
}

function listBudgetDecisions({ decisions }: BudgetAdmission): LabelledValue[] {
  return [
    { labels: { decision: "admitted", code: "" }, value: decisions.admitted },
    { labels: { decision: "admitted_after_wait", code: "" }, value: decisions.admittedAfterWait },
    ...Array.from(decisions.refused, ([code, value]) => ({ labels: { decision: "refused", code }, value })),
  ];
}
