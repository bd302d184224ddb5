import { type CompiledQuery, type ExpressionBuilder, sql } from "kysely";
import { DAY_MS } from "../../durations.ts";
import type { Database, Tables } from "../../store/database.ts";
import { joinSumParts, selectSumParts, selectTotalParts } from "../../store/exact-sums.ts";
import { type Sum, SUMS } from "../record.ts";
import { ceilToDay, floorToDay } from "./rollup-times.ts";
import { IS_UNFINISHED } from "./state-conditions.ts";

/** Lines per page: few enough that formatting a page does not delay requests noticeably. */
export const LINES_PER_PAGE = 100;

type ReadRow = Readonly<Record<string, unknown>>;

/** The dimensions by which usage can be grouped. */
export const DIMENSIONS = ["key", "group", "model", "provider", "endpoint", "end_user", "day"] as const;
export type Dimension = (typeof DIMENSIONS)[number];
/** The dimensions of a report by end user. Its sums are daily, and contain only requests that have an end user. */
export const END_USER_DIMENSIONS: readonly Dimension[] = ["key", "group", "end_user", "day"];

/** Selection and grouping of the usage to report. By end user, the period consists of whole days. */
export interface UsageQuery {
  /** ms since 1970, the start of an hour (UTC). */
  readonly from: number;
  /** ms since 1970, the start of an hour (UTC); excluded. */
  readonly to: number;
  /** At least one. */
  readonly by: readonly Dimension[];
  readonly keyId?: string | undefined;
  /** The model id as forwarded, without the optional prefix. */
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  /** Path below the base URL, such as `chat/completions`. */
  readonly endpoint?: string | undefined;
  /** Report only this number of lines, those of the highest cost. The total is still that of all lines. */
  readonly limit?: number | undefined;
  /** Aborts the report when its reader disconnects. */
  readonly signal?: AbortSignal | undefined;
}

/** Sums over settled and unknown requests, exact at any size. */
export type UsageSums = Readonly<Record<Sum, bigint>>;

/** The sums of one group. It has only the requested dimensions. */
export interface UsageLine extends UsageSums {
  readonly keyId?: string;
  readonly keyName?: string;
  /** The group that the key belongs to now; null if it belongs to none. */
  readonly groupId?: string | null;
  readonly groupName?: string | null;
  readonly model?: string;
  readonly provider?: string;
  readonly endpoint?: string;
  readonly endUser?: string;
  /** UTC date, such as `2026-11-22`. */
  readonly day?: string;
}

/** The usage of a range of hours. Its pages can be read once. */
export interface UsageReport {
  readonly from: number;
  readonly to: number;
  readonly by: readonly Dimension[];
  /** Whether lines may be missing, so that the total is that of more lines. */
  readonly isLimited: boolean;
  /** Number of requests that are in flight or pending, even outside the range. No sum includes them yet. */
  readonly pendingRequests: number;
  /** Pages of lines, all from one snapshot of the database. */
  readonly pages: AsyncGenerator<readonly UsageLine[], void>;
  /** Returns the sums of the lines that have been read so far; with a limit, those of all lines. */
  readonly total: () => UsageSums;
}

const COLUMNS = {
  key: "sums.key_id",
  model: "sums.model",
  provider: "sums.provider",
  endpoint: "sums.endpoint",
  end_user: "sums.end_user",
  group: "members.group_id",
} as const;

/**
 * Reports usage from the rollups. The run time depends on the number of hours, keys and models, not on the number of requests.
 * @returns a report. Its pages are read from the database one at a time, as the consumer requests them.
 */
export async function reportUsage(database: Database, query: UsageQuery): Promise<UsageReport> {
  const { from, to, by, keyId, limit } = query;
  const total = Object.fromEntries(SUMS.map((sum) => [sum, 0n])) as Record<Sum, bigint>;
  return {
    from,
    to,
    by,
    isLimited: limit !== undefined,
    pendingRequests: await countPending(database, keyId),
    pages: readLines(database, query, total),
    total: () => ({ ...total }),
  };
}

/** Reads lines page by page. @param total accumulates the sums of all pages. */
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
    if (query.limit === undefined) for (const line of lines) addSums(total, line);
    else Object.assign(total, joinSums(rows[0] ?? {}, "_total"));
    yield lines;
  }
}

function addSums(total: Record<Sum, bigint>, line: UsageSums): void {
  for (const sum of SUMS) total[sum] += line[sum];
}

/** Compiles the query whose rows are the lines of a report. */
export function compileUsageQuery(kysely: Database["reports"], usage: UsageQuery): CompiledQuery<ReadRow> {
  const { by, limit } = usage;
  // Both databases truncate the result of an integer division.
  const day = sql<number>`sums.start / ${sql.lit(DAY_MS)}`;
  const sums = by.includes("end_user")
    ? selectEndUserRollups(kysely, usage).as("sums")
    : selectRollups(kysely, usage).as("sums");
  let query = kysely.selectFrom(sums).select((eb) =>
    SUMS.flatMap((sum) => {
      const { billions, rest } = selectSumParts(eb.ref(`sums.${sum}`));
      return [billions.as(`${sum}_billions`), rest.as(sum)];
    }),
  );
  if (by.includes("day")) query = query.select(day.as("day")).groupBy(day);
  if (by.includes("key")) {
    query = query
      .leftJoin("keys", "keys.id", "sums.key_id")
      .select(["sums.key_id as keyId", "keys.name as keyName"])
      .groupBy(["sums.key_id", "keys.name"]);
  }
  if (by.includes("group")) {
    query = query
      .leftJoin("keys as members", "members.id", "sums.key_id")
      .leftJoin("key_groups", "key_groups.id", "members.group_id")
      .select(["members.group_id as groupId", "key_groups.name as groupName"])
      .groupBy(["members.group_id", "key_groups.name"]);
  }
  if (by.includes("end_user")) query = query.select("sums.end_user as endUser").groupBy("sums.end_user");
  for (const dimension of ["model", "provider", "endpoint"] as const)
    if (by.includes(dimension)) query = query.select(`sums.${dimension}`).groupBy(`sums.${dimension}`);
  if (limit !== undefined)
    query = query.limit(limit).select((eb) =>
      SUMS.flatMap((sum) => {
        const { billions, rest } = selectTotalParts(eb.ref(`sums.${sum}`));
        return [billions.as(`${sum}_total_billions`), rest.as(`${sum}_total`)];
      }),
    );
  // A float represents sums up to 9 million dollars exactly. Larger sums are rounded, which is sufficient for sorting.
  const cost = sql`sum(cast(sums.cost_nanodollars as double precision)) desc`;
  // With a limit, the lines of the highest cost come first, of any day.
  if (limit !== undefined) query = query.orderBy(cost);
  if (by.includes("day")) query = query.orderBy(day);
  if (limit === undefined) query = query.orderBy(cost);
  // Groups of equal cost need a stable order too.
  for (const [dimension, column] of Object.entries(COLUMNS))
    if (by.includes(dimension as Dimension)) query = query.orderBy(sql.ref(column));
  return query.compile();
}

/** Selects daily rollups for the whole days of the range, and hourly rollups for the hours before and after them. */
function selectRollups(kysely: Database["reports"], usage: UsageQuery) {
  const { from, to, keyId, model, provider, endpoint } = usage;
  const end_user = sql<string>`''`.as("end_user");
  const columns = ["key_id", "model", "provider", "endpoint", ...SUMS] as const;
  const matches = (eb: ExpressionBuilder<Tables, "rollups" | "rollups_daily">) =>
    eb.and({
      ...(keyId !== undefined && { key_id: keyId }),
      ...(model !== undefined && { model }),
      ...(provider !== undefined && { provider }),
      ...(endpoint !== undefined && { endpoint }),
    });
  const hours = (start: number, end: number) =>
    kysely
      .selectFrom("rollups")
      .select(["hour as start", end_user, ...columns])
      .where("hour", ">=", start)
      .where("hour", "<", end)
      .where(matches);
  const firstDay = ceilToDay(from);
  const afterDays = floorToDay(to);
  if (firstDay >= afterDays) return hours(from, to);
  const days = kysely
    .selectFrom("rollups_daily")
    .select(["day as start", end_user, ...columns])
    .where("day", ">=", firstDay)
    .where("day", "<", afterDays)
    .where(matches);
  return hours(from, firstDay).unionAll(days).unionAll(hours(afterDays, to));
}

/** Selects the daily rollups of end users, with the columns that `selectRollups` has. */
function selectEndUserRollups(kysely: Database["reports"], { from, to, keyId }: UsageQuery) {
  const none = sql<string>`''`;
  const query = kysely
    .selectFrom("rollups_end_users")
    .select(["day as start", "end_user", "key_id"])
    .select([none.as("model"), none.as("provider"), none.as("endpoint")])
    .select(SUMS)
    .where("day", ">=", from)
    .where("day", "<", to);
  return keyId === undefined ? query : query.where("key_id", "=", keyId);
}

function toLine(row: ReadRow): UsageLine {
  const { day, keyId, keyName, groupId, groupName, model, provider, endpoint, endUser } = row as RawGroup;
  return {
    ...(day !== undefined && { day: new Date(day * DAY_MS).toISOString().slice(0, 10) }),
    // Keys from the environment, and requests without a key, have no row in the table of keys.
    ...(keyId !== undefined && { keyId, keyName: keyName ?? keyId.replace(/^env:/, "") }),
    // A group that has been deleted has no name.
    ...(groupId !== undefined && { groupId, groupName: groupName ?? groupId }),
    ...(model !== undefined && { model }),
    ...(provider !== undefined && { provider }),
    ...(endpoint !== undefined && { endpoint }),
    ...(endUser !== undefined && { endUser }),
    ...joinSums(row),
  };
}

/** Joins the parts of the sums in a row. @param suffix of the names of the columns. */
function joinSums(row: ReadRow, suffix = ""): UsageSums {
  const sums = SUMS.map((sum) => {
    const [billions, rest] = [row[`${sum}${suffix}_billions`], row[`${sum}${suffix}`]];
    return [sum, joinSumParts(billions as string, rest as string)];
  });
  return Object.fromEntries(sums) as UsageSums;
}

interface RawGroup {
  readonly keyId?: string;
  readonly keyName?: string | null;
  readonly groupId?: string | null;
  readonly groupName?: string | null;
  readonly model?: string;
  readonly provider?: string;
  readonly endpoint?: string;
  readonly endUser?: string;
  readonly day?: number;
}

async function countPending({ reports }: Database, keyId: string | undefined): Promise<number> {
  const count = reports.selectFrom("requests").select((eb) => {
    const all = eb.fn.countAll<number>();
    // With a `where` condition on the key instead of this filter, SQLite would read all requests of the key, and not only the
    // few unfinished ones.
    return (keyId === undefined ? all : all.filterWhere("key_id", "=", keyId)).as("count");
  });
  return (await count.where(IS_UNFINISHED).executeTakeFirstOrThrow()).count;
}
