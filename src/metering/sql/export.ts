import { type QueryCreator, type SelectQueryBuilder, sql } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { type RequestRow, toRowIdPrefix } from "../record.ts";
import { type RequestConditions, type RowCondition, splitConditions } from "./request-conditions.ts";

/** Maximum rows that one statement returns. The main thread deserializes and formats them in about 2 ms. */
const PAGE_ROWS = 200;

/**
 * Maximum rows that one statement visits if it has conditions without an index. SQLite's reader and PostgreSQL check such
 * conditions, so this number does not affect the main thread; it limits the time of one statement to some 20 ms.
 */
const SEARCH_ROWS = 5_000;

/** Selection and order of ledger rows. */
export interface RequestFilter extends RequestConditions {
  /** Earliest start of a request, in ms since 1970. */
  readonly from: number;
  /** End of the range that begins with `from`, in ms since 1970; excluded. */
  readonly to: number;
  /** Row id or generation id, which select rows of any period; otherwise the request id of rows of the period. */
  readonly search?: string | undefined;
  /** Order by the start of the requests; default: oldest first. */
  readonly order?: "asc" | "desc" | undefined;
  /** Id of the row after which the result starts, in this order. That row may have been deleted. */
  readonly after?: string | undefined;
}

/** The result of one statement. */
export interface ScannedRows {
  /** Empty if none of the visited rows matches. */
  readonly rows: RequestRow[];
  /** Id of the last visited row. */
  readonly lastId: string;
}

/**
 * Yields ledger rows page by page: an export of any length holds only one page in memory, and no open transaction.
 * @returns non-empty pages.
 */
export async function* readRequestPages(
  database: Database,
  filter: RequestFilter,
): AsyncGenerator<RequestRow[]> {
  for await (const { rows } of scanRequests(database, filter)) if (rows.length > 0) yield rows;
}

/**
 * Reads ledger rows statement by statement, so that a caller can end a long search. Every statement scans one range of one
 * index, visits at most `SEARCH_ROWS` rows and returns at most `PAGE_ROWS`, however few of them match.
 */
export async function* scanRequests(
  { reader }: Database,
  filter: RequestFilter,
): AsyncGenerator<ScannedRows> {
  const { search } = filter;
  if (search === undefined) {
    yield* scanRange(reader, filter);
    return;
  }
  const rows = await findById(reader, filter, search);
  const lastId = rows.at(-1)?.id;
  if (lastId === undefined) yield* scanRange(reader, { ...filter, requestId: search });
  else yield { rows, lastId };
}

/** Returns the ledger row with this id, if there is one. @param id `latest`: the row of the request that began last. */
export async function findRequest({ reader }: Database, id: string): Promise<RequestRow | undefined> {
  const rows = reader.selectFrom("requests").selectAll();
  const query = id === "latest" ? rows.orderBy("id", "desc").limit(1) : rows.where("id", "=", id);
  return query.executeTakeFirst();
}

/** Finds rows by their row id or generation id. */
async function findById(
  reader: Database["reader"],
  { after, order = "asc", ...filter }: RequestFilter,
  search: string,
): Promise<RequestRow[]> {
  const { indexed, checked } = splitConditions(filter);
  let query = reader
    .selectFrom("requests")
    .selectAll()
    .where("id", "in", (eb) =>
      eb
        .selectFrom("requests")
        .select("id")
        .where("generation_id", "=", search)
        .unionAll(sql<{ id: string }>`select ${search}`),
    );
  if (after !== undefined) query = query.where("id", order === "asc" ? ">" : "<", after);
  return restrict(query, [...indexed, ...checked])
    .orderBy("id", order)
    .limit(PAGE_ROWS)
    .execute();
}

async function* scanRange(reader: Database["reader"], filter: RequestFilter): AsyncGenerator<ScannedRows> {
  const { indexed, checked } = splitConditions(filter);
  const { order = "asc" } = filter;
  let [low, high] = toIdRange(filter);
  for (;;) {
    const range = { order, low, high, indexed };
    const rows =
      checked.length > 0
        ? await searchPage(reader, range, checked)
        : (await selectRange(reader, range).execute()).map((row) => ({ row, isMatch: true }));
    const lastId = rows.at(-1)?.row.id;
    if (lastId === undefined) return;
    yield { rows: rows.filter(({ isMatch }) => isMatch).map(({ row }) => row), lastId };
    if (checked.length === 0 && rows.length < PAGE_ROWS) return;
    if (order === "asc") low = lastId;
    else high = lastId;
  }
}

/** Returns the bounds of the ids, both excluded. No row is missed, because no id equals a bare time prefix. */
function toIdRange({ from, to, order, after }: RequestFilter): [low: string, high: string] {
  const [low, high] = [toRowIdPrefix(from), toRowIdPrefix(to)];
  if (after === undefined) return [low, high];
  return order === "desc" ? [low, after < high ? after : high] : [after > low ? after : low, high];
}

/** A range of one index. Both bounds are excluded. */
interface IndexRange {
  readonly order: "asc" | "desc";
  readonly low: string;
  readonly high: string;
  readonly indexed: readonly RowCondition[];
}

/** Selects the first rows of a range. */
function selectRange(reader: QueryCreator<Tables>, { order, low, high, indexed }: IndexRange) {
  return (
    restrict(reader.selectFrom("requests").selectAll(), indexed)
      // One condition per bound: given several lower bounds, SQLite may start its scan at the lowest.
      .where("id", ">", low)
      .where("id", "<", high)
      .orderBy("id", order)
      .limit(PAGE_ROWS)
  );
}

interface CheckedRow {
  readonly row: RequestRow;
  readonly isMatch: boolean;
}

/**
 * Searches the first `SEARCH_ROWS` rows of a range for rows that meet all conditions. The result ends after `PAGE_ROWS` rows, or
 * with the last visited row, after which the next search starts; at the end of the range, it ends with the last match.
 */
async function searchPage(
  reader: Database["reader"],
  range: IndexRange,
  conditions: readonly RowCondition[],
): Promise<CheckedRow[]> {
  const { order, low, high, indexed } = range;
  const rows = await reader
    .with(
      // `materialized`: PostgreSQL and SQLite read the range of the index only once.
      (cte) => cte("boundary").materialized(),
      (db) =>
        selectRange(db, range)
          .clearSelect()
          .select("id")
          .clearLimit()
          .limit(1)
          .offset(SEARCH_ROWS - 1),
    )
    .selectFrom("requests")
    .selectAll()
    .select((eb) => eb.and(conditions.map((condition) => condition(eb))).as("is_match"))
    .where((eb) => eb.and(indexed.map((condition) => condition(eb))))
    .where("id", order === "asc" ? ">" : "<", order === "asc" ? low : high)
    .where("id", order === "asc" ? "<=" : ">=", (eb) =>
      eb.fn.coalesce(
        eb.selectFrom("boundary").select("boundary.id"),
        sql<string>`${order === "asc" ? high : low}`,
      ),
    )
    .where((eb) =>
      eb.or([
        eb.and(conditions.map((condition) => condition(eb))),
        eb("id", "=", eb.selectFrom("boundary").select("boundary.id")),
      ]),
    )
    .orderBy("id", order)
    .limit(PAGE_ROWS)
    .execute();
  return rows.map(({ is_match: isMatch, ...row }) => ({ row, isMatch: Boolean(isMatch) }));
}

function restrict<Result>(
  query: SelectQueryBuilder<Tables, "requests", Result>,
  conditions: readonly RowCondition[],
): SelectQueryBuilder<Tables, "requests", Result> {
  return query.where((eb) => eb.and(conditions.map((condition) => condition(eb))));
}
