import { DAY_MS } from "../durations.ts";
import type { Database } from "../store/database.ts";
import { COMPARED_SUMS, type LedgerGroup, readLedgerDay } from "./sql/ledger-day.ts";
import { countUnfinished, type Period, type UnfinishedCounts } from "./sql/unknown-rows.ts";

/** `GET /activity` has this many completed UTC days. */
const ACTIVITY_DAYS = 30;

export type ComparedSum = (typeof COMPARED_SUMS)[number];
export type ComparedSums = Readonly<Record<ComparedSum, bigint>>;

/** OpenRouter's sums of one day and one endpoint of a model. */
export interface ActivityLine extends ComparedSums {
  readonly model: string;
  /** The dated name of the model. */
  readonly permaslug: string;
}

/** Fetches OpenRouter's sums of one UTC day. @param date such as `2026-11-01`. */
export type FetchActivity = (date: string) => Promise<readonly ActivityLine[]>;

/** The sums of one model by the ledger and by OpenRouter. */
export interface ModelComparison {
  readonly model: string;
  readonly ledger: ComparedSums;
  readonly openrouter: ComparedSums;
}

/** One compared UTC day. */
export interface DayComparison {
  readonly date: string;
  readonly models: readonly ModelComparison[];
  readonly total: Omit<ModelComparison, "model">;
  /** Requests of the ledger whose cost is unknown. They are part of the requests. */
  readonly unknownRequests: bigint;
  readonly unfinished: UnfinishedCounts;
}

/** Consecutive days that cannot be compared, and the reason. */
export interface SkippedDays {
  readonly first: string;
  readonly last: string;
  readonly reason: "not_completed" | "older_than_30_days" | "partly_in_period";
}

/** The UTC days of a period. */
export interface ComparableDays {
  /** Starts of the days that can be compared, in ms since 1970. */
  readonly days: readonly number[];
  readonly skipped: readonly SkippedDays[];
}

/** Lists the UTC days of a period. @param now ms since 1970; decides which days OpenRouter's activity has. */
export function listComparableDays({ from, to }: Period, now: number): ComparableDays {
  const today = floorToDay(now);
  const days: number[] = [];
  const skipped: SkippedDays[] = [];
  for (let day = floorToDay(from); day < to && day <= today; day += DAY_MS) {
    const reason = findReason({ from, to }, day, today);
    const date = formatDate(day);
    const previous = skipped.at(-1);
    if (reason === undefined) days.push(day);
    else if (previous?.reason === reason && previous.last === formatDate(day - DAY_MS))
      skipped[skipped.length - 1] = { ...previous, last: date };
    else skipped.push({ first: date, last: date, reason });
  }
  return { days, skipped };
}

function findReason({ from, to }: Period, day: number, today: number): SkippedDays["reason"] | undefined {
  if (day === today) return "not_completed";
  if (day < today - ACTIVITY_DAYS * DAY_MS) return "older_than_30_days";
  return day < from || day + DAY_MS > to ? "partly_in_period" : undefined;
}

/** Where to read the ledger's sums. */
export interface LedgerSource {
  readonly database: Database;
  /** Rows of requests that began earlier are deleted, but their sums are kept. In ms since 1970. */
  readonly deletedBefore: number;
}

/** Compares the ledger of one UTC day with OpenRouter's activity. @param day its start, in ms since 1970. */
export async function compareDay(
  { database, deletedBefore }: LedgerSource,
  day: number,
  fetchActivity: FetchActivity,
): Promise<DayComparison> {
  const date = formatDate(day);
  const lines = await fetchActivity(date);
  const groups = await readLedgerDay(database, day, day >= deletedBefore);
  const unfinished = await countUnfinished(database, { from: day, to: day + DAY_MS });
  return {
    date,
    models: compareModels(groups, lines),
    total: { ledger: addAll(groups), openrouter: addAll(lines) },
    unknownRequests: groups.reduce((sum, { unknown_requests }) => sum + unknown_requests, 0n),
    unfinished,
  };
}

/** Whether the two sides have the same counts, and amounts that differ only by rounding each request to nanodollars. */
export function isEqual({ ledger, openrouter }: Omit<ModelComparison, "model">): boolean {
  return COMPARED_SUMS.every((sum) => {
    const difference = openrouter[sum] - ledger[sum];
    const tolerance = sum.endsWith("_nanodollars") ? ledger.requests : 0n;
    return difference <= tolerance && -difference <= tolerance;
  });
}

function compareModels(
  groups: readonly LedgerGroup[],
  lines: readonly ActivityLine[],
): readonly ModelComparison[] {
  const names = new Map<string, string>();
  for (const { model, permaslug } of lines) {
    names.set(dropVariant(permaslug), dropVariant(model));
    names.set(dropVariant(model), dropVariant(model));
  }
  // A response names the model that served the request: with a router, an alias or a fallback it is not the requested one.
  const nameGroup = ({ response_model, forwarded_model }: LedgerGroup): string =>
    names.get(dropVariant(response_model)) ??
    names.get(dropVariant(forwarded_model)) ??
    dropVariant(forwarded_model);
  const ledger = Map.groupBy(groups, nameGroup);
  const openrouter = Map.groupBy(lines, ({ model }) => dropVariant(model));
  return [...new Set([...ledger.keys(), ...openrouter.keys()])].toSorted().map((model) => ({
    model,
    ledger: addAll(ledger.get(model) ?? []),
    openrouter: addAll(openrouter.get(model) ?? []),
  }));
}

/** Removes the variant from the name of a model, such as `:free` or `:nitro`. */
function dropVariant(model: string): string {
  return model.replace(/:[^:/]*$/, "");
}

function addAll(parts: readonly ComparedSums[]): ComparedSums {
  return Object.fromEntries(
    COMPARED_SUMS.map((sum) => [sum, parts.reduce((total, part) => total + part[sum], 0n)]),
  ) as Record<ComparedSum, bigint>;
}

function floorToDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

function formatDate(day: number): string {
  return new Date(day).toISOString().slice(0, 10);
}
