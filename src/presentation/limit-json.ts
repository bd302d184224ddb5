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
import { describeOptionalTimestamp, describeTimestamp, formatTimestamp } from "./timestamp.ts";

// The JSON of groups, limits and budgets in the admin API and the command line.

const modeSchema = z
  .enum(["hard", "soft"])
  .describe(
    "hard: a request must fit in at its worst-case cost. soft: admitted while spending is below the limit",
  );
const periodSchema = z
  .enum(BUDGET_PERIODS)
  .describe("Period of the budget in UTC; a week begins on Monday, and the period total never ends");
const limitUsdSchema = z.number().describe("US dollars that may be spent in one period");
const createCountSchema = (meaning: string) => z.number().nullable().describe(`${meaning}; null: no limit`);
const createBudgetSchema = (period: string) =>
  z.object({ limit_usd: limitUsdSchema, mode: modeSchema }).describe(`Budget of each ${period}`);
const budgetsSchema = z
  .object({
    day: createBudgetSchema("day (UTC)"),
    week: createBudgetSchema("week, which begins on Monday (UTC)"),
    month: createBudgetSchema("calendar month (UTC)"),
    total: createBudgetSchema("key, group or end user for all time").describe("Budget without a renewal"),
  })
  .partial()
  .describe("Budgets by period; a period without a budget is absent");

/** The limits of a key or a group. */
export const limitsSchema = z
  .object({
    budgets: budgetsSchema,
    requests_per_minute: createCountSchema("Requests per window of 60 seconds"),
    requests_per_day: createCountSchema("Requests per window of 24 hours"),
    tokens_per_minute: createCountSchema("Tokens per window of 60 seconds"),
    max_in_flight: createCountSchema("Requests in flight at the same time"),
  })
  .describe("Limits of the key or group");

/** The settings for end users of a key. */
export const endUsersSchema = z.object({
  source: z
    .string()
    .describe(
      "The part of a request that names its end user: `user` for the field of the API, or `header:` and the name of a header",
    ),
  budgets: budgetsSchema.describe("Budgets of each end user, by period"),
});

/** A group of keys. */
export const groupSchema = z
  .object({
    id: z.string().describe("Id of the group: grp_ and 16 characters; never changes"),
    name: z.string().describe("Unique name of the group"),
    limits: limitsSchema.describe("Limits that the keys of the group share"),
    created_at: describeTimestamp("Time of creation"),
  })
  .describe("A group of keys");

/** The current period of a budget. */
export const budgetStatusSchema = z.object({
  period: periodSchema,
  starts_at: describeOptionalTimestamp("Start of the period; null for the period total"),
  renews_at: describeOptionalTimestamp("End of the period; null for the period total"),
  limit_usd: limitUsdSchema,
  mode: modeSchema,
  spent_usd: z.number().describe("Cost of settled requests in US dollars"),
  presumed_usd: z
    .number()
    .describe("Worst-case cost of ended requests whose cost is not known, in US dollars"),
  reserved_usd: z
    .number()
    .describe("US dollars that gateways hold for requests in flight and requests to come"),
  remaining_usd: z
    .number()
    .describe("US dollars left: limit_usd without spent_usd and presumed_usd, never below 0"),
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
