import { type ExpressionBuilder, type SelectQueryBuilder, sql } from "kysely";
import type { Database } from "../../store/database.ts";
import type { RequestRow } from "../record.ts";
import { toRowIdPrefix } from "../row-id.ts";
import type { Tables } from "../../store/tables.ts";

/** Rows that one statement visits at most. The main thread deserializes and formats them in about 2 ms. */
const PAGE_ROWS = 200;

/**
 * The condition of the index `requests_unsettled`. SQLite uses a partial index only for a statement that repeats its
 * condition.
 */
const UNSETTLED = sql<boolean>`requests.state in ('open', 'pending', 'unknown')`;

/** Which rows of the ledger to give, and in which order. */
export interface RequestFilter {
  /** ms since 1970, of their beginning; `to` is not included. */
  readonly from: number;
  readonly to: number;
  readonly keyId?: string | undefined;
  readonly state?: RequestRow["state"] | undefined;
  /** By the beginning of the requests; default: oldest first. */
  readonly order?: "asc" | "desc" | undefined;
  /** Id of a row: only rows that come later in this order. The row itself may have been deleted. */
  readonly after?: string | undefined;
}

/**
 * Yields rows of the ledger page by page, as they are asked for, so that an export of any length takes the memory of one
 * page and no transaction. Every statement is one range of an index and visits at most a page of rows, however few match.
 * @returns pages that are not empty.
 */
export async function* readRequestPages(
  { reader }: Database,
  filter: RequestFilter,
): AsyncGenerator<RequestRow[]> {
  const { driving, residual } = splitFilter(filter);
  const { order = "asc" } = filter;
  let [low, high] = idRangeOf(filter);
  for (;;) {
    const page = driving(reader.selectFrom("requests").selectAll())
      // One condition for each end: of several, SQLite may choose any to begin with, and read the ledger from there.
      .where("id", ">", low)
      .where("id", "<", high)
      .orderBy("id", order)
      .limit(PAGE_ROWS);
    const rows = await (residual ? filterPage(reader, page, { order, residual }) : page).execute();
    const last = rows.at(-1);
    if (!last) return;
    const matching = residual ? rows.filter((row) => row[residual.column] === residual.value) : rows;
    if (matching.length > 0) yield matching;
    if (!residual && rows.length < PAGE_ROWS) return;
    if (order === "asc") low = last.id;
    else high = last.id;
  }
}

/** Ids between which rows are, both excluded: no row has an id that is nothing but a time. */
function idRangeOf({ from, to, order, after }: RequestFilter): [low: string, high: string] {
  const [low, high] = [toRowIdPrefix(from), toRowIdPrefix(to)];
  if (after === undefined) return [low, high];
  return order === "desc" ? [low, after < high ? after : high] : [after > low ? after : low, high];
}

type RequestQuery = SelectQueryBuilder<Tables, "requests", RequestRow>;

/** A condition that is checked for the rows of a page. */
interface Residual {
  readonly column: "key_id" | "state";
  readonly value: string;
}

/** Which condition chooses the index, and which is left for the rows that it finds. */
function splitFilter({ keyId, state }: RequestFilter): {
  driving: (query: RequestQuery) => RequestQuery;
  residual: Residual | undefined;
} {
  if (state !== undefined && state !== "settled") {
    return {
      driving: (query) => query.where("state", "=", state).where(UNSETTLED),
      residual: keyId === undefined ? undefined : { column: "key_id", value: keyId },
    };
  }
  return {
    driving: (query) => (keyId === undefined ? query : query.where("key_id", "=", keyId)),
    // Nearly all rows are settled: an index of them would cost more than it finds.
    residual: state === undefined ? undefined : { column: "state", value: state },
  };
}

/** Of a page, the rows that match and the last one, where the next page begins. */
function filterPage(
  reader: Database["reader"],
  page: RequestQuery,
  { order, residual }: { order: "asc" | "desc"; residual: Residual },
) {
  const isLast = (eb: ExpressionBuilder<{ page: RequestRow }, "page">) =>
    eb(
      "id",
      "=",
      eb
        .selectFrom("page as other")
        .select(({ fn }) => fn[order === "asc" ? "max" : "min"]("other.id").as("id")),
    );
  return reader
    .with(
      (cte) => cte("page").materialized(),
      () => page,
    )
    .selectFrom("page")
    .selectAll()
    .where((eb) => eb.or([eb(residual.column, "=", residual.value), isLast(eb)]))
    .orderBy("id", order);
}
