import { z } from "zod";
import type { BudgetStatus } from "../budgets/sql/read-budgets.ts";
import type { ManagedGroup } from "../keys/key-group.ts";
import {
  BUDGET_PERIODS,
  type Budgets,
  type EndUserSettings,
  type LimitSettings,
} from "../limits/limit-settings.ts";
import { toUsd } from "../money.ts";
import { formatTimestamp, timestampSchema } from "./timestamp.ts";

// The JSON of groups, limits and budgets in the admin API and the command line.

const modeSchema = z
  .enum(["hard", "soft"])
  .describe(
    "hard: a request must fit in at its worst-case cost. soft: admitted while spending is below the limit",
  );
const periodSchema = z.enum(BUDGET_PERIODS);
const usdSchema = z.number().describe("US dollars");
const countSchema = z.number().nullable();
const budgetSchema = z.object({ limit_usd: usdSchema, mode: modeSchema });
const budgetsSchema = z
  .object({ day: budgetSchema, week: budgetSchema, month: budgetSchema, total: budgetSchema })
  .partial()
  .describe("By period (UTC)");

/** The limits of a key or a group. */
export const limitsSchema = z
  .object({
    budgets: budgetsSchema,
    requests_per_minute: countSchema,
    requests_per_day: countSchema,
    tokens_per_minute: countSchema,
    max_in_flight: countSchema,
  })
  .describe("null: no limit");

/** The settings for end users of a key. */
export const endUsersSchema = z.object({
  source: z.string().describe("user, or header: and the name of a header"),
  budgets: budgetsSchema.describe("Of each end user"),
});

/** A group of keys. */
export const groupSchema = z
  .object({ id: z.string(), name: z.string(), limits: limitsSchema, created_at: timestampSchema })
  .describe("A group of keys");

/** The current period of a budget. */
export const budgetStatusSchema = z.object({
  period: periodSchema,
  starts_at: timestampSchema.nullable().describe("null for the period total"),
  renews_at: timestampSchema.nullable().describe("null for the period total"),
  limit_usd: usdSchema,
  mode: modeSchema,
  spent_usd: usdSchema.describe("Cost of settled requests"),
  presumed_usd: usdSchema.describe("Worst-case cost of ended requests whose cost is not known"),
  reserved_usd: usdSchema.describe("Held by gateways for requests in flight and requests to come"),
  remaining_usd: usdSchema.describe("limit_usd without spent_usd and presumed_usd, never below 0"),
});

/** The current periods of the budgets of a key or a group in a list. */
export const currentBudgetsSchema = z
  .array(budgetStatusSchema)
  .describe("The current period of each budget, if the query has include_budgets=true");

/** Converts budgets to their JSON shape. */
export function toBudgetsJson(budgets: Budgets): z.output<typeof budgetsSchema> {
  return Object.fromEntries(
    BUDGET_PERIODS.flatMap((period) => {
      const budget = budgets[period];
      return budget ? [[period, { limit_usd: toUsd(budget.limitNanodollars), mode: budget.mode }]] : [];
    }),
  );
}

/** Converts limits to their JSON shape. */
export function toLimitsJson(limits: LimitSettings): z.output<typeof limitsSchema> {
  return {
    budgets: toBudgetsJson(limits.budgets),
    requests_per_minute: limits.requestsPerMinute,
    requests_per_day: limits.requestsPerDay,
    tokens_per_minute: limits.tokensPerMinute,
    max_in_flight: limits.maxInFlight,
  };
}

/** Converts the settings for end users to their JSON shape. */
export function toEndUsersJson(endUsers: EndUserSettings | null): z.output<typeof endUsersSchema> | null {
  return endUsers && { source: endUsers.source, budgets: toBudgetsJson(endUsers.budgets) };
}

/** Converts a group to its JSON shape. */
export function toGroupJson({ id, name, limits, createdAt }: ManagedGroup): z.output<typeof groupSchema> {
  return { id, name, limits: toLimitsJson(limits), created_at: formatTimestamp(createdAt) };
}

/** Converts the current period of a budget to its JSON shape. */
export function toBudgetStatusJson(status: BudgetStatus): z.output<typeof budgetStatusSchema> {
  const { period, startsAt, endsAt, mode } = status;
  const isEndless = period === "total";
  return {
    period,
    starts_at: isEndless ? null : formatTimestamp(startsAt),
    renews_at: isEndless ? null : formatTimestamp(endsAt),
    limit_usd: toUsd(status.limit),
    mode,
    spent_usd: toUsd(status.spent),
    presumed_usd: toUsd(status.presumed),
    reserved_usd: toUsd(status.reserved),
    remaining_usd: toUsd(status.remaining),
  };
}
