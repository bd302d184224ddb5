import { type Command, InvalidArgumentError } from "commander";
import { BUDGET_PERIODS } from "../limits/limit-settings.ts";

/** A budget as the schema of limits expects it; null removes the budget of a period. */
type BudgetInput = { readonly limit_usd: string; readonly mode?: string } | null;
type BudgetInputs = Readonly<Record<string, BudgetInput>>;

const BUDGET = /^([a-z]+)=([^:]*)(?::(.*))?$/;
const ALL_REMOVED: BudgetInputs = Object.fromEntries(BUDGET_PERIODS.map((period) => [period, null]));

/** The options of limits, as commander parses them. */
export interface LimitOptions {
  /** false removes all budgets. */
  readonly budget?: BudgetInputs | false;
  readonly requestsPerMinute?: number | null;
  readonly requestsPerDay?: number | null;
  readonly tokensPerMinute?: number | null;
  readonly maxInFlight?: number | null;
}

/** The options of a key's end users, as commander parses them. */
export interface EndUserOptions {
  /** The source of the names; false: requests have no end users. */
  readonly endUsers?: string | false;
  readonly endUserBudget?: BudgetInputs | false;
}

/** Adds the options of limits, which keys and groups have in common. */
export function addLimitOptions(command: Command): Command {
  return command
    .option(
      "--budget <period=usd[:mode]>",
      "repeatable; such as day=0.45, month=10:soft (periods: day, week, month, total), or day=none",
      collectBudgets,
    )
    .option("--requests-per-minute <count>", "a whole number, or none", parseCount)
    .option("--requests-per-day <count>", "a whole number, or none", parseCount)
    .option("--tokens-per-minute <count>", "a whole number, or none", parseCount)
    .option("--max-in-flight <count>", "requests in flight: a whole number, or none", parseCount);
}

/** Adds the options of a key's end users. */
export function addEndUserOptions(command: Command): Command {
  return command
    .option(
      "--end-users <source>",
      "where a request names its end user: user (the field of the body), or header:<name>",
    )
    .option(
      "--end-user-budget <period=usd[:mode]>",
      "repeatable; budget of each end user, such as day=0.05",
      collectBudgets,
    );
}

/** Converts the options of limits to the input of their schema; undefined if none was given. */
export function toLimitInput(options: LimitOptions): Record<string, unknown> | undefined {
  const given = {
    budgets: options.budget === false ? null : options.budget,
    requests_per_minute: options.requestsPerMinute,
    requests_per_day: options.requestsPerDay,
    tokens_per_minute: options.tokensPerMinute,
    max_in_flight: options.maxInFlight,
  };
  const members = Object.entries(given).filter(([, value]) => value !== undefined);
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** Converts the options of end users to the input of their schema; undefined if none was given. */
export function toEndUserInput({
  endUsers,
  endUserBudget,
}: EndUserOptions): Record<string, unknown> | null | undefined {
  if (endUsers === false) return null;
  if (endUsers === undefined && endUserBudget === undefined) return undefined;
  return {
    ...(endUsers !== undefined && { source: endUsers }),
    ...(endUserBudget !== undefined && { budgets: endUserBudget === false ? null : endUserBudget }),
  };
}

/** Adds `period=usd`, `period=usd:mode` or `period=none` to the values of a repeatable option. */
function collectBudgets(text: string, previous: BudgetInputs | false = {}): BudgetInputs {
  const [, period = "", usd = "", mode] = BUDGET.exec(text) ?? [];
  if (!BUDGET_PERIODS.some((known) => known === period) || usd === "")
    throw new InvalidArgumentError(
      `Use period=usd, such as day=0.45 or month=10:soft, with a period of ${BUDGET_PERIODS.join(", ")}.`,
    );
  // After an option such as --no-budget, only the budgets that follow it remain.
  const others = previous === false ? ALL_REMOVED : previous;
  if (others[period]) throw new InvalidArgumentError("Use each period once.");
  const budget = usd === "none" ? null : { limit_usd: usd, ...(mode !== undefined && { mode }) };
  return { ...others, [period]: budget };
}

function parseCount(text: string): number | null {
  if (text === "none") return null;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Use a whole number, or none.");
  return Number(text);
}

/** Passes US dollars to the schema as text, so that they are parsed exactly; `none` (null) removes the amount. */
export function parseUsd(text: string): string | null {
  return text === "none" ? null : text;
}
