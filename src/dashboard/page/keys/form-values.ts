import type { BudgetStatus, Group, Key } from "../api/types.ts";
import type { Period } from "./key-types.ts";

// The texts in the fields of the forms for keys and groups, and their conversion to bodies of the admin API. A text that is not
// valid is sent as it is: the API says what is wrong with it, and the form shows that at the field.

type Mode = BudgetStatus["mode"];

/** The fields of one budget. Without a limit, there is no budget. */
export interface BudgetFields {
  readonly limit: string;
  readonly mode: Mode;
}
export type BudgetsFields = Readonly<Record<Period, BudgetFields>>;

/** The fields of limits. */
export interface LimitFields {
  readonly budgets: BudgetsFields;
  readonly requests_per_minute: string;
  readonly requests_per_day: string;
  readonly tokens_per_minute: string;
  readonly max_in_flight: string;
}

/** The fields of a group. */
export interface GroupFields {
  readonly name: string;
  readonly limits: LimitFields;
}

/** The fields of a key. */
export interface KeyFields extends GroupFields {
  readonly owner: string;
  readonly group: string;
  /** Patterns, separated by lines, spaces or commas. */
  readonly models: string;
  /** Lines such as `fast = google/gemini-3-flash`. */
  readonly aliases: string;
  /** Lines such as `team = a`. */
  readonly metadata: string;
  /** A time in the viewer's zone, such as `2026-12-31T23:59`. */
  readonly expires_at: string;
  readonly on_disconnect: Key["on_disconnect"];
  readonly end_user_source: string;
  readonly end_user_budgets: BudgetsFields;
  readonly unbounded_reservation_usd: string;
}

/** The limits that are counts, in the order in which they are shown. */
export const COUNTS = [
  "requests_per_minute",
  "requests_per_day",
  "tokens_per_minute",
  "max_in_flight",
] as const satisfies readonly (keyof LimitFields)[];

export const COUNT_LABELS = {
  requests_per_minute: "Requests per minute",
  requests_per_day: "Requests per day",
  tokens_per_minute: "Tokens per minute",
  max_in_flight: "Requests in flight",
} as const;

/** Formats an amount without an exponent, with at most the nine decimals that a setting can have. */
export function formatAmount(usd: number): string {
  return usd.toFixed(9).replace(/\.?0+$/, "");
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

/** Formats a time for an input of the type `datetime-local`. @param at ISO 8601. @returns minutes, in the viewer's zone. */
export function toLocalTime(at: string | null): string {
  if (at === null) return "";
  const date = new Date(at);
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

function toBudgetsFields(budgets: Group["limits"]["budgets"]): BudgetsFields {
  const toFields = (period: Period): BudgetFields => {
    const budget = budgets[period];
    return { limit: budget ? formatAmount(budget.limit_usd) : "", mode: budget?.mode ?? "hard" };
  };
  return { day: toFields("day"), week: toFields("week"), month: toFields("month"), total: toFields("total") };
}

function formatSetting(count: number | null | undefined): string {
  return String(count ?? "");
}

function toLimitFields(limits: Group["limits"] | undefined): LimitFields {
  return {
    budgets: toBudgetsFields(limits?.budgets ?? {}),
    requests_per_minute: formatSetting(limits?.requests_per_minute),
    requests_per_day: formatSetting(limits?.requests_per_day),
    tokens_per_minute: formatSetting(limits?.tokens_per_minute),
    max_in_flight: formatSetting(limits?.max_in_flight),
  };
}

/** Returns the fields of a group; of a new group without an argument. */
export function toGroupFields(group?: Group): GroupFields {
  return { name: group?.name ?? "", limits: toLimitFields(group?.limits) };
}

const formatPairs = (pairs: Readonly<Record<string, string>> = {}): string =>
  Object.entries(pairs)
    .map(([name, value]) => `${name} = ${value}`)
    .join("\n");

/** Returns the fields of a key; of a new key without an argument. */
export function toKeyFields(key?: Key): KeyFields {
  const reservation = key?.unbounded_reservation_usd ?? null;
  return {
    name: key?.name ?? "",
    owner: key?.owner ?? "",
    group: key?.group ?? "",
    models: key?.models?.join("\n") ?? "",
    aliases: formatPairs(key?.aliases),
    metadata: formatPairs(key?.metadata),
    expires_at: toLocalTime(key?.expires_at ?? null),
    on_disconnect: key?.on_disconnect ?? "cancel",
    limits: toLimitFields(key?.limits),
    end_user_source: key?.end_users?.source ?? "",
    end_user_budgets: toBudgetsFields(key?.end_users?.budgets ?? {}),
    unbounded_reservation_usd: reservation === null ? "" : formatAmount(reservation),
  };
}

interface BudgetSetting {
  readonly limit_usd: string;
  readonly mode: Mode;
}
type BudgetsBody = Partial<Record<Period, BudgetSetting | null>>;
type Count = number | string | null;

/** The part of a body that sets or changes limits. */
export interface LimitsBody extends Partial<Record<(typeof COUNTS)[number], Count>> {
  readonly budgets?: BudgetsBody;
}
/** The body that creates or changes a key or a group. */
export interface SettingsBody extends Readonly<Record<string, unknown>> {
  readonly limits?: LimitsBody;
  readonly end_users?: { readonly source?: string; readonly budgets?: BudgetsBody } | null;
}

const orNull = (text: string): string | null => (text.trim() === "" ? null : text.trim());

function toBudgetSetting({ limit, mode }: BudgetFields): BudgetSetting | null {
  return limit.trim() === "" ? null : { limit_usd: limit.trim(), mode };
}

function toBudgetsBody(fields: BudgetsFields): Record<Period, BudgetSetting | null> {
  return {
    day: toBudgetSetting(fields.day),
    week: toBudgetSetting(fields.week),
    month: toBudgetSetting(fields.month),
    total: toBudgetSetting(fields.total),
  };
}

function toCount(text: string): Count {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  return /^\d+$/.test(trimmed) ? Number(trimmed) : trimmed;
}

function toLimitsBody(fields: LimitFields): LimitsBody {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, toCount(fields[name])]));
  return { budgets: toBudgetsBody(fields.budgets), ...counts };
}

/** A line without `=` becomes a name without a value, which the API refuses. */
function parsePairs(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf("=");
      const end = at === -1 ? line.length : at;
      return [line.slice(0, end).trim(), line.slice(end + 1).trim()];
    }),
  );
}

/** Converts all fields of a group to a body. */
export function toGroupBody({ name, limits }: GroupFields): SettingsBody {
  return { name: name.trim(), limits: toLimitsBody(limits) };
}

/** Converts all fields of a key to a body. */
export function toKeyBody(fields: KeyFields): SettingsBody {
  const models = fields.models.split(/[\s,]+/).filter((pattern) => pattern !== "");
  const expiry = Date.parse(fields.expires_at);
  const source = orNull(fields.end_user_source);
  const endUserBudgets = toBudgetsBody(fields.end_user_budgets);
  const hasEndUsers = source !== null || Object.values(endUserBudgets).some((budget) => budget !== null);
  return {
    ...toGroupBody(fields),
    owner: orNull(fields.owner),
    group: orNull(fields.group),
    models: models.length > 0 ? models : null,
    aliases: parsePairs(fields.aliases),
    metadata: parsePairs(fields.metadata),
    expires_at: Number.isNaN(expiry) ? orNull(fields.expires_at) : new Date(expiry).toISOString(),
    on_disconnect: fields.on_disconnect,
    end_users: hasEndUsers ? { ...(source !== null && { source }), budgets: endUserBudgets } : null,
    unbounded_reservation_usd: orNull(fields.unbounded_reservation_usd),
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Returns the members of a body that differ from those of an earlier body: a PATCH with them does not undo what somebody else
 * has changed. Limits are compared member by member, and a changed budget is sent with both its limit and its mode, because the
 * API would otherwise use the default mode.
 */
export function findChanges(before: SettingsBody, after: SettingsBody): SettingsBody {
  const changes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(after)) {
    const previous = before[name];
    if (JSON.stringify(previous) === JSON.stringify(value)) continue;
    const isMerged = MERGED.has(name) && isObject(previous) && isObject(value);
    changes[name] = isMerged ? findChanges(previous, value) : value;
  }
  return changes;
}

/** The members that the API merges with the existing ones. It replaces all others. */
const MERGED: ReadonlySet<string> = new Set(["limits", "budgets", "end_users"]);

/** Whether an error names a field or a part of it. @param path such as `limits.budgets.day`. */
export function isErrorOf(path: string, param: string | null | undefined): boolean {
  return param === path || param?.startsWith(`${path}.`) === true || param?.startsWith(`${path}[`) === true;
}
