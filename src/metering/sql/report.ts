import { type CompiledQuery, type ExpressionBuilder, sql } from "kysely";
import type { Database } from "../../store/database.ts";
import { joinSumParts, selectSumParts } from "../../store/exact-sums.ts";
import type { Tables } from "../../store/tables.ts";
import { IS_UNFINISHED } from "./unfinished.ts";
import { DAY_MS } from "../../durations.ts";

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
export interface UsageSums {
  readonly requests: bigint;
  /** Of these, those whose cost will not be known. */
  readonly unknownRequests: bigint;
  readonly promptTokens: bigint;
  readonly completionTokens: bigint;
  readonly cachedTokens: bigint;
  readonly cacheWriteTokens: bigint;
  readonly reasoningTokens: bigint;
  /** What OpenRouter charges. */
  readonly costNanodollars: bigint;
  /** What providers charge beside it for requests with the account's own key at them (BYOK). */
  readonly byokNanodollars: bigint;
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

const SUMS = {
  requests: "requests",
  unknownRequests: "unknown_requests",
  promptTokens: "prompt_tokens",
  completionTokens: "completion_tokens",
  cachedTokens: "cached_tokens",
  cacheWriteTokens: "cache_write_tokens",
  reasoningTokens: "reasoning_tokens",
  costNanodollars: "cost_nanodollars",
  byokNanodollars: "byok_nanodollars",
} as const;
type SumName = keyof typeof SUMS;
const SUM_NAMES = Object.keys(SUMS) as SumName[];

const COLUMNS = { key: "sums.key_id", model: "sums.model", provider: "sums.provider" } as const;

/**
 * Reports usage from the rollups: what it costs depends on hours, keys and models, not on how many requests there were.
 * @returns a report whose lines are read as they are asked for, however many there are.
 */
export async function reportUsage(database: Database, query: UsageQuery): Promise<UsageReport> {
  const { from, to, by, keyId } = query;
  const sums: Record<SumName, bigint> = { ...NOTHING };
  return {
    from,
    to,
    by,
    pendingRequests: await countPending(database, keyId),
    pages: linesIn(database, query, sums),
    total: () => ({ ...sums }),
  };
}

const NOTHING: UsageSums = {
  requests: 0n,
  unknownRequests: 0n,
  promptTokens: 0n,
  completionTokens: 0n,
  cachedTokens: 0n,
  cacheWriteTokens: 0n,
  reasoningTokens: 0n,
  costNanodollars: 0n,
  byokNanodollars: 0n,
};

/** @param total is added to with every page. */
async function* linesIn(
  { reports }: Database,
  { signal, ...query }: UsageQuery,
  total: Record<SumName, bigint>,
): AsyncGenerator<readonly UsageLine[], void> {
  const batches = reports
    .getExecutor()
    .stream<ReadRow>(compileUsageQuery(reports, query), LINES_PER_PAGE, { signal });
  for await (const { rows } of batches) {
    const lines = rows.map(toLine);
    for (const line of lines) for (const name of SUM_NAMES) total[name] += line[name];
    yield lines;
  }
}

/** The query whose rows are the lines of a report. */
export function compileUsageQuery(kysely: Database["reports"], usage: UsageQuery): CompiledQuery<ReadRow> {
  const { by } = usage;
  // Whole numbers are divided without a rest in both databases.
  const day = sql<number>`sums.start / ${sql.lit(DAY_MS)}`;
  let query = kysely.selectFrom(sumsIn(kysely, usage).as("sums")).select((eb) =>
    SUM_NAMES.flatMap((name) => {
      const { billions, rest } = selectSumParts(eb.ref(`sums.${SUMS[name]}`));
      return [billions.as(`${name}Billions`), rest.as(name)];
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

function toLine(row: ReadRow): UsageLine {
  const { day, keyId, keyName, model, provider } = row as RawGroup;
  const sums = SUM_NAMES.map((name) => [
    name,
    joinSumParts(row[`${name}Billions`] as string, row[name] as string),
  ]);
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
