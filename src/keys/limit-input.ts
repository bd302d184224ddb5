import { z } from "zod";
import type { Budget, BudgetPeriod } from "../limits/limit-settings.ts";
import { parseUsdSetting, USD_SETTING_MAX } from "../money.ts";

// Schemas of the settings of limits, with the names of the admin API. A change is merged member by member: a member that is
// left out keeps its value, and null removes it.

const COUNT_MAX = 1_000_000_000_000;
const MODES = ["hard", "soft"] as const;

/** An amount of US dollars, which is converted to nanodollars. */
export const usdSchema = z
  .union([z.number(), z.string()], { error: "must be US dollars, such as 0.45" })
  .transform((usd, context) => {
    const nanodollars = parseUsdSetting(usd);
    if (nanodollars !== undefined) return nanodollars;
    const message = `must be US dollars from 0 to ${USD_SETTING_MAX} with at most 9 decimal places, such as 0.45`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  })
  .describe(`US dollars from 0 to ${USD_SETTING_MAX}, with at most 9 decimal places`);

const budget = z
  .strictObject({
    limit_usd: usdSchema.describe(
      `US dollars that may be spent in one period: 0 to ${USD_SETTING_MAX}, with at most 9 decimal places`,
    ),
    mode: z
      .enum(MODES, { error: "must be hard or soft" })
      .default("hard")
      .describe(
        "hard: a request must fit in at its worst-case cost. soft: admitted while spending is below the limit",
      ),
  })
  .transform(({ limit_usd, mode }): Budget => ({ limitNanodollars: limit_usd, mode }))
  .nullable();

const periods = {
  day: budget.describe("Budget of each day (UTC); null removes it"),
  week: budget.describe("Budget of each week, which begins on Monday (UTC); null removes it"),
  month: budget.describe("Budget of each calendar month (UTC); null removes it"),
  total: budget.describe("Budget without a renewal; null removes it"),
};

const budgets = z
  .strictObject(periods satisfies Record<BudgetPeriod, unknown>)
  .partial()
  .nullable()
  .describe("Budgets by period; a period that is left out keeps its budget, and null removes all budgets");

const createCountSchema = (meaning: string) =>
  z.int().min(1).max(COUNT_MAX).nullable().describe(`${meaning}; null: no limit`);

/** Changes of the limits of a key or a group; null removes all limits. */
export const limitChangesSchema = z
  .strictObject({
    budgets,
    requests_per_minute: createCountSchema("Requests per window of 60 seconds"),
    requests_per_day: createCountSchema("Requests per window of 24 hours"),
    tokens_per_minute: createCountSchema("Tokens per window of 60 seconds"),
    max_in_flight: createCountSchema("Requests in flight at the same time"),
  })
  .partial()
  .nullable()
  .describe("Limits; a member that is left out keeps its value, and null removes all limits");

/** Headers that contain secrets. They must not become the name of an end user, which the ledger stores. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "api-key",
]);
const HEADER_PREFIX = "header:";
/** Characters of a header's name (RFC 9110, section 5.6.2). */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,64}$/;

const source = z
  .string({ error: "must be user, or header: and the name of a header" })
  .max(HEADER_PREFIX.length + 64)
  .transform((text, context) => {
    if (text === "user") return text;
    const name = text.slice(HEADER_PREFIX.length).toLowerCase();
    let message: string | undefined;
    if (!text.startsWith(HEADER_PREFIX) || !HEADER_NAME.test(name))
      message = "must be user, or header: and the name of a header, such as header:x-openwebui-user-email";
    else if (SECRET_HEADERS.has(name))
      message = `must not be the header ${name}, which contains secrets; use a header that names the user`;
    if (message === undefined) return HEADER_PREFIX + name;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  })
  .describe(
    "The part of a request that names its end user: `user` for the field of the API, or `header:` and the name of a header",
  );

/** Changes of the settings for end users; null: requests have no end users. */
export const endUserChangesSchema = z
  .strictObject({
    source,
    budgets: budgets.describe("Budgets of each end user, by period; null removes them"),
  })
  .partial()
  .nullable()
  .describe(
    "Settings for the end users of the key; a member that is left out keeps its value; null: its requests have no end users",
  );

export type BudgetChanges = z.output<typeof budgets>;
export type LimitChanges = z.output<typeof limitChangesSchema>;
export type EndUserChanges = z.output<typeof endUserChangesSchema>;
