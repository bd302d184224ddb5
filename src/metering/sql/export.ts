import type { ExpressionBuilder, SelectQueryBuilder } from "kysely";
import type { Database, Tables } from "../../store/database.ts";
import { type RequestRow, STATE, type State, toRowIdPrefix } from "../record.ts";
import { IS_UNSETTLED } from "./state-conditions.ts";

/** Maximum rows that one statement visits. The main thread deserializes and formats them in about 2 ms. */
const PAGE_ROWS = 200;

/** Selection and order of ledger rows. */
export interface RequestFilter {
  /** Earliest start of a request, in ms since 1970. */
  readonly from: number;
  /** End of the range that begins with `from`, in ms since 1970; excluded. */
  readonly to: number;
  readonly keyId?: string | undefined;
  /** As the ledger has it, and not empty. */
  readonly session?: string | undefined;
  /** As the ledger has it, and not empty. */
  readonly endUser?: string | undefined;
  readonly state?: State | undefined;
  /** Order by the start of the requests; default: oldest first. */
  readonly order?: "asc" | "desc" | undefined;
  /** Id of the row after which the result starts, in this order. That row may have been deleted. */
  readonly after?: string | undefined;
}

/**
 * Yields ledger rows page by page: an export of any length holds only one page in memory, and no open transaction. Every
 * statement scans one range of an index and visits at most `PAGE_ROWS` rows, however few of them match.
 * @returns non-empty pages.
 */
export async function* readRequestPages(
  { reader }: Database,
  filter: RequestFilter,
): AsyncGenerator<RequestRow[]> {
  const { restrictToIndex, rest } = splitFilter(filter);
  const matches = (row: RequestRow): boolean => rest.every(({ column, value }) => row[column] === value);
  const { order = "asc" } = filter;
  let [low, high] = toIdRange(filter);
  for (;;) {
    const page = restrictToIndex(reader.selectFrom("requests").selectAll())
      // One condition per bound: given several lower bounds, SQLite may start its scan at the lowest.
      .where("id", ">", low)
      .where("id", "<", high)
      .orderBy("id", order)
      .limit(PAGE_ROWS);
    const rows = await (rest.length > 0 ? filterPage(reader, page, { order, rest }) : page).execute();
    const last = rows.at(-1);
    if (!last) return;
    const matching = rows.filter(matches);
    if (matching.length > 0) yield matching;
    if (rest.length === 0 && rows.length < PAGE_ROWS) return;
    if (order === "asc") low = last.id;
    else high = last.id;
  }
}

/** Returns the bounds of the ids, both excluded. No row is missed, because no id equals a bare time prefix. */
function toIdRange({ from, to, order, after }: RequestFilter): [low: string, high: string] {
  const [low, high] = [toRowIdPrefix(from), toRowIdPrefix(to)];
  if (after === undefined) return [low, high];
  return order === "desc" ? [low, after < high ? after : high] : [after > low ? after : low, high];
}

type RequestQuery = SelectQueryBuilder<Tables, "requests", RequestRow>;

/** A condition that the index of a page does not serve. It is checked for each row of a page. */
interface RowCondition {
  readonly column: "key_id" | "end_user" | "state";
  readonly value: string;
}

/** Splits a filter into the condition that an index serves and the conditions that are checked for each row. */
function splitFilter({ keyId, session, endUser, state }: RequestFilter): {
  restrictToIndex: (query: RequestQuery) => RequestQuery;
  rest: readonly RowCondition[];
} {
  const ofKey: RowCondition[] = keyId === undefined ? [] : [{ column: "key_id", value: keyId }];
  const inState: RowCondition[] = state === undefined ? [] : [{ column: "state", value: state }];
  const ofEndUser: RowCondition[] = endUser === undefined ? [] : [{ column: "end_user", value: endUser }];
  if (session !== undefined)
    return {
      restrictToIndex: (query) => query.where("session", "=", session),
      rest: [...ofKey, ...ofEndUser, ...inState],
    };
  if (endUser !== undefined)
    return {
      restrictToIndex: (query) => query.where("end_user", "=", endUser),
      rest: [...ofKey, ...inState],
    };
  if (state !== undefined && state !== STATE.settled) {
    return {
      restrictToIndex: (query) => query.where("state", "=", state).where(IS_UNSETTLED),
      rest: ofKey,
    };
  }
  return {
    restrictToIndex: (query) => (keyId === undefined ? query : query.where("key_id", "=", keyId)),
    // Nearly all rows are settled, so an index on this state would not narrow the scan.
    rest: inState,
  };
}

/** Selects the matching rows of a page, and its last row, after which the next page starts. */
function filterPage(
  reader: Database["reader"],
  page: RequestQuery,
  { order, rest }: { order: "asc" | "desc"; rest: readonly RowCondition[] },
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
    .where((eb) => eb.or([eb.and(rest.map(({ column, value }) => eb(column, "=", value))), isLast(eb)]))
    .orderBy("id", order);
}
