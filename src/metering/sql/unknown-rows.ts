import type { Database } from "../../store/database.ts";
import { type RequestRow, STATE, toRowIdPrefix } from "../record.ts";
import { IS_UNFINISHED, IS_UNSETTLED } from "./state-conditions.ts";

/** A period of requests by their start, in ms since 1970. */
export interface Period {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** A page of rows in the order of their ids. */
export interface Page {
  /** Id of the last row of the previous page; empty for the first page. */
  readonly after: string;
  readonly limit: number;
}

/** Reads a page of the rows of a period whose cost is unknown. */
export async function readUnknownRows(
  { reader }: Database,
  { from, to }: Period,
  { after, limit }: Page,
): Promise<RequestRow[]> {
  return reader
    .selectFrom("requests")
    .selectAll()
    .where(IS_UNSETTLED)
    .where("state", "=", STATE.unknown)
    .where("id", ">=", toRowIdPrefix(from))
    .where("id", "<", toRowIdPrefix(to))
    .where("id", ">", after)
    .orderBy("id")
    .limit(limit)
    .execute();
}

/** Numbers of requests that gateways still have to settle. */
export interface UnfinishedCounts {
  /** In flight, or of a process that has died. */
  readonly open: number;
  /** Ended; gateways look up the cost. */
  readonly pending: number;
}

/** Counts the rows of a period that gateways still have to settle. */
export async function countUnfinished({ reader }: Database, { from, to }: Period): Promise<UnfinishedCounts> {
  const rows = await reader
    .selectFrom("requests")
    .select((eb) => ["state", eb.fn.countAll<number>().as("count")])
    .where(IS_UNFINISHED)
    .where("id", ">=", toRowIdPrefix(from))
    .where("id", "<", toRowIdPrefix(to))
    .groupBy("state")
    .execute();
  const count = (state: string): number => rows.find((row) => row.state === state)?.count ?? 0;
  return { open: count(STATE.open), pending: count(STATE.pending) };
}
