import { type RawBuilder, sql } from "kysely";
import { STATE, type State } from "../record.ts";

// Conditions of partial indexes. SQLite uses a partial index only for a statement that repeats the condition of the index
// literally. For a narrower condition or one with bound parameters, SQLite reads the whole ledger.

/** Records that are not final: the condition of the index `requests_unfinished`. */
export const IS_UNFINISHED = createStateCondition([STATE.open, STATE.pending]);

/** Records without a known cost: the condition of the index `requests_unsettled`. */
export const IS_UNSETTLED = createStateCondition([STATE.open, STATE.pending, STATE.unknown]);

function createStateCondition(states: readonly State[]): RawBuilder<boolean> {
  return sql.raw(`requests.state in (${states.map((state) => `'${state}'`).join(", ")})`);
}
