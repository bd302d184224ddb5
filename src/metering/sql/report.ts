import { type CompiledQuery, type ExpressionBuilder, sql } from "kysely";
import { DAY_MS } from "../../durations.ts";
import type { Database, Tables } from "../../store/database.ts";
import { joinSumParts, selectSumParts } from "../../store/exact-sums.ts";
import { type Sum, SUMS } from "../record.ts";
import { ceilToDay, floorToDay } from "./rollup-times.ts";
import { IS_UNFINISHED } from "./state-conditions.ts";

/** Lines in one page: few enough to make text of them without holding up a request. */
export const LINES_PER_PAGE = 100;

type ReadRow = Readonly<Record<string, unknown>>;

/** What usage can be told apart by. */
export const DIMENSIONS = ["key", "model", "provider", "day"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Which usage to report. */
export interface UsageQuery {
  /** ms since 1970, both the beginning of an hour (UTC); `to` is not included. */
  readonly from: number;
  readonly to: number;
  /** One at least. */
  readonly by: readonly Dimension[];
  readonly keyId?: string | undefined;
  /** As it is forwarded, without the optional prefix. */
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  /** Ends a report that nobody reads any more. */
  readonly signal?: AbortSignal | undefined;
}

/** Sums over requests that are settled, or given up, exact whatever they come to. */
export type UsageSums = Readonly<Record<Sum, bigint>>;

/** The sums of one group; it has those of the dimensions that were asked for. */
export interface UsageLine extends UsageSums {
  readonly keyId?: string;
  readonly keyName?: string;
  readonly model?: string;
  readonly provider?: string;
  /** As 2026-11-22, UTC. */
  readonly day?: string;
}

/** Usage between two hours, to be read once. */
export interface UsageReport {
  readonly from: number;
  readonly to: number;
  readonly by: readonly Dimension[];
  /** Requests, of any time, that are under way or wait for their cost; they are in no sum yet. */
  readonly pendingRequests: number;
  /** Lines, some at a time, from one moment of the database. */
  readonly pages: AsyncGenerator<readonly UsageLine[], void>;
  /** The sums of the lines that have been read. */
  readonly total: () => UsageSums;
}

const COLUMNS = { key: "sums.key_id", model: "sums.model", provider: "sums.provider" } as const;

/**
 * Reports usage from the rollups: what it costs depends on hours, keys and models, not on how many requests there were.
 * @returns a report whose lines are read as they are asked for, however many there are.
 */
export async function reportUsage(database: Database, query: UsageQuery): Promise<UsageReport> {
  const { from, to, by, keyId } = query;
  const total = Object.fromEntries(SUMS.map((sum) => [sum, 0n])) as Record<Sum, bigint>;
  return {
    from,
    to,
    by,
    pendingRequests: await countPending(database, keyId),
    pages: readLines(database, query, total),
    total: () => ({ ...total }),
  };
}

/** Reads lines page by page. @param total is added to with every page. */
async function* readLines(
  { reports }: Database,
  { signal, ...query }: UsageQuery,
  total: Record<Sum, bigint>,
): AsyncGenerator<readonly UsageLine[], void> {
  const batches = reports
    .getExecutor()
    .stream<ReadRow>(compileUsageQuery(reports, query), LINES_PER_PAGE, { signal });
  for await (const { rows } of batches) {
    const lines = rows.map(toLine);
    for (const line of lines) for (const sum of SUMS) total[sum] += line[sum];
    yield lines;
  }
}

/** The query whose rows are the lines of a report. */
export function compileUsageQuery(kysely: Database["reports"], usage: UsageQuery): CompiledQuery<ReadRow> {
  const { by } = usage;
  // Whole numbers are divided without a rest in both databases.
  const day = sql<number>`sums.start / ${sql.lit(DAY_MS)}`;
  let query = kysely.selectFrom(selectRollups(kysely, usage).as("sums")).select((eb) =>
    SUMS.flatMap((sum) => {
      const { billions, rest } = selectSumParts(eb.ref(`sums.${sum}`));
      return [billions.as(`${sum}_billions`), rest.as(sum)];
    }),
  );
  if (by.includes("day")) query = query.select(day.as("day")).groupBy(day).orderBy(day);
  if (by.includes("key")) {
    query = query
      .leftJoin("keys", "keys.id", "sums.key_id")
      .select(["sums.key_id as keyId", "keys.name as keyName"])
      .groupBy(["sums.key_id", "keys.name"]);
  }
  for (const dimension of ["model", "provider"] as const)
    if (by.includes(dimension)) query = query.select(`sums.${dimension}`).groupBy(`sums.${dimension}`);
  // A float holds every sum up to 9 million dollars exactly, and beyond that gives the order all the same.
  query = query.orderBy(sql`sum(cast(sums.cost_nanodollars as double precision)) desc`);
  // What costs the same comes in one order every time.
  for (const [dimension, column] of Object.entries(COLUMNS))
    if (by.includes(dimension as Dimension)) query = query.orderBy(column);
  return query.compile();
}

/** Selects the rollups of whole days, and of the hours before and after them. */
function selectRollups(kysely: Database["reports"], { from, to, keyId, model, provider }: UsageQuery) {
  const columns = ["key_id", "model", "provider", ...SUMS] as const;
  const matches = (eb: ExpressionBuilder<Tables, "rollups" | "rollups_daily">) =>
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
      .where(matches);
  const firstDay = ceilToDay(from);
  const afterDays = floorToDay(to);
  if (firstDay >= afterDays) return hours(from, to);
  const days = kysely
    .selectFrom("rollups_daily")
    .select(["day as start", ...columns])
    .where("day", ">=", firstDay)
    .where("day", "<", afterDays)
    .where(matches);
  return hours(from, firstDay).unionAll(days).unionAll(hours(afterDays, to));
}

function toLine(row: ReadRow): UsageLine {
  const { day, keyId, keyName, model, provider } = row as RawGroup;
  const sums = SUMS.map((sum) => [sum, joinSumParts(row[`${sum}_billions`] as string, row[sum] as string)]);
  return {
    ...(day !== undefined && { day: new Date(day * DAY_MS).toISOString().slice(0, 10) }),
    // Keys of the environment, and no key at all, have no row of their own.
    ...(keyId !== undefined && { keyId, keyName: keyName ?? keyId.replace(/^env:/, "") }),
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...(Object.fromEntries(sums) as UsageSums),
  };
}

interface RawGroup {
  readonly keyId?: string;
  readonly keyName?: string | null;
  readonly model?: string;
  readonly provider?: string;
  readonly day?: number;
}

async function countPending({ reports }: Database, keyId: string | undefined): Promise<number> {
  const count = reports.selectFrom("requests").select((eb) => {
    const all = eb.fn.countAll<number>();
    // Not in the condition, where it would make SQLite read all requests of the key instead of the few unfinished ones.
    return (keyId === undefined ? all : all.filterWhere("key_id", "=", keyId)).as("count");
  });
  return (await count.where(IS_UNFINISHED).executeTakeFirstOrThrow()).count;
}
