import type { ExpressionBuilder, SelectQueryBuilder } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { type RequestRow, STATE, type State, toRowIdPrefix } from "../record.ts";
import { IS_UNSETTLED } from "./state-conditions.ts";

/** Rows that one statement visits at most. The main thread deserializes and formats them in about 2 ms. */
const PAGE_ROWS = 200;

/** Which rows of the ledger to give, and in which order. */
export interface RequestFilter {
  /** ms since 1970, of their beginning; `to` is not included. */
  readonly from: number;
  readonly to: number;
  readonly keyId?: string | undefined;
  readonly state?: State | undefined;
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
  const { restrictToIndex, rest } = splitFilter(filter);
  const { order = "asc" } = filter;
  let [low, high] = toIdRange(filter);
  for (;;) {
    const page = restrictToIndex(reader.selectFrom("requests").selectAll())
      // One condition for each end: of several, SQLite may choose any to begin with, and read the ledger from there.
      .where("id", ">", low)
      .where("id", "<", high)
      .orderBy("id", order)
      .limit(PAGE_ROWS);
    const rows = await (rest ? filterPage(reader, page, { order, rest }) : page).execute();
    const last = rows.at(-1);
    if (!last) return;
    const matching = rest ? rows.filter((row) => row[rest.column] === rest.value) : rows;
    if (matching.length > 0) yield matching;
    if (!rest && rows.length < PAGE_ROWS) return;
    if (order === "asc") low = last.id;
    else high = last.id;
  }
}

/** Ids between which rows are, both excluded: no row has an id that is nothing but a time. */
function toIdRange({ from, to, order, after }: RequestFilter): [low: string, high: string] {
  const [low, high] = [toRowIdPrefix(from), toRowIdPrefix(to)];
  if (after === undefined) return [low, high];
  return order === "desc" ? [low, after < high ? after : high] : [after > low ? after : low, high];
}

type RequestQuery = SelectQueryBuilder<Tables, "requests", RequestRow>;

/** A condition that no index helps with: it is checked for each row of a page. */
interface RowCondition {
  readonly column: "key_id" | "state";
  readonly value: string;
}

/** Which condition chooses the index, and which is left for the rows that it finds. */
function splitFilter({ keyId, state }: RequestFilter): {
  restrictToIndex: (query: RequestQuery) => RequestQuery;
  rest: RowCondition | undefined;
} {
  if (state !== undefined && state !== STATE.settled) {
    return {
      restrictToIndex: (query) => query.where("state", "=", state).where(IS_UNSETTLED),
      rest: keyId === undefined ? undefined : { column: "key_id", value: keyId },
    };
  }
  return {
    restrictToIndex: (query) => (keyId === undefined ? query : query.where("key_id", "=", keyId)),
    // Nearly all rows are settled: an index of them would cost more than it finds.
    rest: state === undefined ? undefined : { column: "state", value: state },
  };
}

/** Of a page, the rows that match and the last one, where the next page begins. */
function filterPage(
  reader: Database["reader"],
  page: RequestQuery,
  { order, rest }: { order: "asc" | "desc"; rest: RowCondition },
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
    .where((eb) => eb.or([eb(rest.column, "=", rest.value), isLast(eb)]))
    .orderBy("id", order);
}
