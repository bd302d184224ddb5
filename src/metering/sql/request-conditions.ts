import type { Expression, ExpressionBuilder, SqlBool } from "kysely";
import type { Tables } from "../../store/database.ts";
import { type RecordedOutcome, STATE, type State } from "../record.ts";
import { IS_FAILED } from "../request-results.ts";
import { IS_UNSETTLED } from "./state-conditions.ts";

/** Conditions on ledger rows. A row is selected if it meets all of them. Texts are as the ledger has them, and not empty. */
export interface RequestConditions {
  readonly keyId?: string | undefined;
  /** Id of the group that the key belonged to when the request began. */
  readonly groupId?: string | undefined;
  readonly session?: string | undefined;
  readonly endUser?: string | undefined;
  /** A model as the client requested it, as the gateway forwarded it, or as upstream named it. */
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly state?: State | undefined;
  readonly outcome?: RecordedOutcome | undefined;
  /** Status of the response; 0: the client received none. */
  readonly status?: number | undefined;
  /** Whether to select only requests that have failed; default: false. */
  readonly isFailed?: boolean | undefined;
  readonly requestId?: string | undefined;
}

/** Returns an SQL condition on rows of `requests`. */
export type RowCondition = (eb: ExpressionBuilder<Tables, "requests">) => Expression<SqlBool>;

type EqualityColumn =
  | "key_id"
  | "group_id"
  | "session"
  | "end_user"
  | "provider"
  | "endpoint"
  | "state"
  | "outcome"
  | "status"
  | "request_id";

/** Splits conditions into those that one index serves and those that are checked for each row of its range. */
export function splitConditions(conditions: RequestConditions): {
  readonly indexed: readonly RowCondition[];
  readonly checked: readonly RowCondition[];
} {
  const { model, isFailed = false } = conditions;
  const equalities = new Map<EqualityColumn, string | number | undefined>([
    ["session", conditions.session],
    ["end_user", conditions.endUser],
    ["state", conditions.state],
    ["key_id", conditions.keyId],
    ["group_id", conditions.groupId],
    ["provider", conditions.provider],
    ["endpoint", conditions.endpoint],
    ["outcome", conditions.outcome],
    ["status", conditions.status],
    ["request_id", conditions.requestId],
  ]);
  const indexedColumn = chooseIndex(conditions);
  const indexed: RowCondition[] = indexedColumn === "state" ? [() => IS_UNSETTLED] : [];
  const checked: RowCondition[] = [];
  for (const [column, value] of equalities)
    if (value !== undefined)
      (column === indexedColumn ? indexed : checked).push((eb) => eb(column, "=", value));
  if (model !== undefined) {
    const columns = ["requested_model", "forwarded_model", "response_model"] as const;
    checked.push((eb) => eb.or(columns.map((column) => eb(column, "=", model))));
  }
  if (isFailed) checked.push(() => IS_FAILED);
  return { indexed, checked };
}

/** Returns the column whose index has the shortest range of rows; undefined: the range is only the period. */
function chooseIndex({ session, endUser, state, keyId }: RequestConditions): EqualityColumn | undefined {
  if (session !== undefined) return "session";
  if (endUser !== undefined) return "end_user";
  // Nearly all rows are settled, so an index on this state would not narrow the scan.
  if (state !== undefined && state !== STATE.settled) return "state";
  return keyId === undefined ? undefined : "key_id";
}
