import { type ExpressionBuilder, sql } from "kysely";
import { GatewayError } from "../errors.ts";
import type { Database } from "./database.ts";
import type { Tables } from "./tables.ts";
import { UNFINISHED } from "./unfinished.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const LINES_MAX = 10_000;

/** What usage can be told apart by. */
export const DIMENSIONS = ["key", "model", "provider", "day"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Which usage to report. */
export interface UsageQuery {
  /** ms since 1970, widened to whole hours (UTC); `to` is not included. */
  readonly from: number;
  readonly to: number;
  readonly by: readonly Dimension[];
  readonly keyId?: string | undefined;
  /** As it is forwarded, without the optional prefix. */
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
}

/** Sums over requests that are settled, or given up. */
export interface UsageSums {
  readonly requests: number;
  /** Of these, those whose cost will not be known. */
  readonly unknownRequests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  readonly costNanodollars: number;
}

/** The sums of one group; it has those of the dimensions that were asked for. */
export interface UsageLine extends UsageSums {
  readonly keyId?: string;
  readonly keyName?: string;
  readonly model?: string;
  readonly provider?: string;
  /** As 2026-11-22, UTC. */
  readonly day?: string;
}

/** Usage between two hours. */
export interface UsageReport {
  readonly from: number;
  readonly to: number;
  readonly by: readonly Dimension[];
  readonly lines: readonly UsageLine[];
  readonly total: UsageSums;
  /** Requests, of any time, that are under way or wait for their cost; they are in no sum yet. */
  readonly pendingRequests: number;
}

const SUMS = {
  requests: "requests",
  unknownRequests: "unknown_requests",
  promptTokens: "prompt_tokens",
  completionTokens: "completion_tokens",
  cachedTokens: "cached_tokens",
  reasoningTokens: "reasoning_tokens",
  costNanodollars: "cost_nanodollars",
} as const;

const COLUMNS = { key: "sums.key_id", model: "sums.model", provider: "sums.provider" } as const;

/**
 * Reports usage from the rollups: what it costs depends on hours, keys and models, not on how many requests there were.
 * @throws GatewayError invalid_value when the report would have too many lines.
 */
export async function reportUsage(database: Database, query: UsageQuery): Promise<UsageReport> {
  const from = query.from - (query.from % HOUR_MS);
  const to = Math.ceil(query.to / HOUR_MS) * HOUR_MS;
  const { by, keyId } = query;
  const lines = await linesOf(database, { ...query, from, to });
  if (lines.length > LINES_MAX) {
    throw new GatewayError(
      "invalid_value",
      `The report has more than ${LINES_MAX} lines; ask for fewer days or groups.`,
      { param: "by" },
    );
  }
  return { from, to, by, lines, total: sumOf(lines), pendingRequests: await pendingOf(database, keyId) };
}

async function linesOf({ reports }: Database, usage: UsageQuery): Promise<UsageLine[]> {
  const { by } = usage;
  // Whole numbers are divided without a rest in both databases.
  const day = sql<number>`sums.start / ${sql.lit(DAY_MS)}`;
  let query = reports
    .selectFrom(sumsIn(reports, usage).as("sums"))
    .select((eb) =>
      Object.entries(SUMS).map(([name, column]) =>
        sql<number>`cast(sum(${eb.ref(`sums.${column}`)}) as bigint)`.as(name),
      ),
    )
    .limit(LINES_MAX + 1);
  if (by.includes("day")) query = query.select(day.as("day")).groupBy(day).orderBy(day);
  if (by.includes("key")) {
    query = query
      .leftJoin("keys", "keys.id", "sums.key_id")
      .select(["sums.key_id as keyId", "keys.name as keyName"])
      .groupBy(["sums.key_id", "keys.name"]);
  }
  for (const dimension of ["model", "provider"] as const)
    if (by.includes(dimension)) query = query.select(`sums.${dimension}`).groupBy(`sums.${dimension}`);
  query = query.orderBy(sql`"costNanodollars" desc`);
  // What costs the same comes in one order every time.
  for (const [dimension, column] of Object.entries(COLUMNS))
    if (by.includes(dimension as Dimension)) query = query.orderBy(column);
  const rows = (await query.execute()) as unknown as RawLine[];
  return rows.filter(({ requests }) => requests !== null).map(toLine);
}

/** The sums of whole days, and of the hours before and after them. */
function sumsIn(kysely: Database["reports"], { from, to, keyId, model, provider }: UsageQuery) {
  const columns = ["key_id", "model", "provider", ...Object.values(SUMS)] as const;
  const asked = (eb: ExpressionBuilder<Tables, "rollups" | "rollups_daily">) =>
    eb.and({
      ...(keyId !== undefined && { key_id: keyId }),
      ...(model !== undefined && { model }),
      ...(provider !== undefined && { provider }),
    });
  const hours = (start: number, end: number) =>
    kysely
      .selectFrom("rollups")
      .select(["hour as start", ...columns])
      .where("hour", ">=", start)
      .where("hour", "<", end)
      .where(asked);
  const firstDay = Math.ceil(from / DAY_MS) * DAY_MS;
  const afterDays = to - (to % DAY_MS);
  if (firstDay >= afterDays) return hours(from, to);
  const days = kysely
    .selectFrom("rollups_daily")
    .select(["day as start", ...columns])
    .where("day", ">=", firstDay)
    .where("day", "<", afterDays)
    .where(asked);
  return hours(from, firstDay).unionAll(days).unionAll(hours(afterDays, to));
}

type RawLine = UsageSums & {
  readonly keyId?: string;
  readonly keyName?: string | null;
  readonly model?: string;
  readonly provider?: string;
  readonly day?: number;
};

function toLine({ day, keyId, keyName, ...line }: RawLine): UsageLine {
  return {
    ...(day !== undefined && { day: new Date(day * DAY_MS).toISOString().slice(0, 10) }),
    // Keys of the environment, and no key at all, have no row of their own.
    ...(keyId !== undefined && { keyId, keyName: keyName ?? keyId.replace(/^env:/, "") }),
    ...line,
  };
}

function sumOf(lines: readonly UsageLine[]): UsageSums {
  const names = Object.keys(SUMS) as (keyof UsageSums)[];
  return Object.fromEntries(
    names.map((name) => [name, lines.reduce((sum, line) => sum + line[name], 0)]),
  ) as unknown as UsageSums;
}

async function pendingOf({ reports }: Database, keyId: string | undefined): Promise<number> {
  const count = reports.selectFrom("requests").select((eb) => {
    const all = eb.fn.countAll<number>();
    // Not in the condition, where it would make SQLite read all requests of the key instead of the few unfinished ones.
    return (keyId === undefined ? all : all.filterWhere("key_id", "=", keyId)).as("count");
  });
  return (await count.where(UNFINISHED).executeTakeFirstOrThrow()).count;
}
