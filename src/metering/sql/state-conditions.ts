import { type RawBuilder, sql } from "kysely";
import { STATE, type State } from "../record.ts";

// Conditions of partial indexes. SQLite uses such an index, instead of reading the whole ledger, only for a statement that
// repeats the index's own condition; a narrower one, or bound values, will not do.

/** Records that are not final: the condition of the index `requests_unfinished`. */
export const IS_UNFINISHED = createStateCondition([STATE.open, STATE.pending]);

/** Records without a known cost: the condition of the index `requests_unsettled`. */
export const IS_UNSETTLED = createStateCondition([STATE.open, STATE.pending, STATE.unknown]);

function createStateCondition(states: readonly State[]): RawBuilder<boolean> {
  return sql.raw(`requests.state in (${states.map((state) => `'${state}'`).join(", ")})`);
}
