import { type Command, InvalidArgumentError } from "commander";
import { BUDGET_PERIODS } from "../limits/limit-settings.ts";
import { parseCount, type Removed, toSetting } from "./options.ts";

/** A budget as the schema of limits expects it; null removes the budget of a period. */
type BudgetInput = { readonly limit_usd: string; readonly mode?: string } | null;
type BudgetInputs = Readonly<Record<string, BudgetInput>>;

const BUDGET = /^([a-z]+)=([^:]*)(?::(.*))?$/;
const ALL_REMOVED: BudgetInputs = Object.fromEntries(BUDGET_PERIODS.map((period) => [period, null]));

/** The options of limits, as commander parses them. */
export interface LimitOptions {
  readonly budget?: BudgetInputs | Removed;
  readonly requestsPerMinute?: number | Removed;
  readonly requestsPerDay?: number | Removed;
  readonly tokensPerMinute?: number | Removed;
  readonly maxInFlight?: number | Removed;
}

/** The options of a key's end users, as commander parses them. */
export interface EndUserOptions {
  /** The source of the names. */
  readonly endUsers?: string | Removed;
  readonly endUserBudget?: BudgetInputs | Removed;
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
    budgets: options.budget,
    requests_per_minute: options.requestsPerMinute,
    requests_per_day: options.requestsPerDay,
    tokens_per_minute: options.tokensPerMinute,
    max_in_flight: options.maxInFlight,
  };
  const members = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, toSetting(value)] as const],
  );
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
    ...(endUserBudget !== undefined && { budgets: toSetting(endUserBudget) }),
  };
}

/** Adds `period=usd`, `period=usd:mode` or `period=none` to the values of a repeatable option. */
function collectBudgets(text: string, previous: BudgetInputs | Removed = {}): BudgetInputs {
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
