import { type Expression, sql } from "kysely";
import { DAY_MS } from "../../durations.ts";
import type { Database } from "../../store/database.ts";
import { joinSumParts, selectSumParts } from "../../store/exact-sums.ts";
import { WAS_SERVED } from "./served-requests.ts";
import { FINAL_STATES, STATE, toRowIdPrefix } from "../record.ts";

/** The sums that the ledger and OpenRouter's activity both have. Money is in nanodollars. */
export const COMPARED_SUMS = [
  "requests",
  "prompt_tokens",
  "completion_tokens",
  "reasoning_tokens",
  "cost_nanodollars",
  "byok_nanodollars",
] as const;

const GROUP_SUMS = [...COMPARED_SUMS, "unknown_requests"] as const;
type GroupSum = (typeof GROUP_SUMS)[number];

/** The sums of one UTC day, by the model that was forwarded and the model that responded. */
export interface LedgerGroup extends Readonly<Record<GroupSum, bigint>> {
  readonly forwarded_model: string;
  /** Empty if the response did not name it, or if the rows are deleted. */
  readonly response_model: string;
}

type ReadGroup = Record<"forwarded_model" | "response_model", string | null> &
  Record<`${GroupSum}_billions` | `${GroupSum}_rest`, string | null>;

/**
 * Reads the sums of the final requests of one UTC day that upstream served.
 * @param day its start, in ms since 1970. @param hasRows whether the rows of the day exist. Otherwise the daily sums are read.
 */
export async function readLedgerDay(
  database: Database,
  day: number,
  hasRows: boolean,
): Promise<LedgerGroup[]> {
  const groups = await (hasRows ? selectRows(database, day) : selectDailySums(database, day));
  return groups.map((group) => ({
    forwarded_model: group.forwarded_model ?? "",
    response_model: group.response_model ?? "",
    ...(Object.fromEntries(
      GROUP_SUMS.map((sum) => [sum, joinSumParts(group[`${sum}_billions`], group[`${sum}_rest`])]),
    ) as Record<GroupSum, bigint>),
  }));
}

function selectRows({ reports }: Database, day: number): Promise<ReadGroup[]> {
  return reports
    .selectFrom("requests")
    .select((eb) => {
      const columns: Readonly<Record<GroupSum, Expression<unknown>>> = {
        requests: sql`1`,
        unknown_requests: sql`case when ${eb.ref("state")} = ${sql.lit(STATE.unknown)} then 1 else 0 end`,
        prompt_tokens: eb.ref("prompt_tokens"),
        completion_tokens: eb.ref("completion_tokens"),
        reasoning_tokens: eb.ref("reasoning_tokens"),
        cost_nanodollars: eb.ref("cost_nanodollars"),
        byok_nanodollars: sql`case when ${eb.ref("is_byok")} = 1 then ${eb.ref("upstream_inference_nanodollars")} else 0 end`,
      };
      return ["forwarded_model", "response_model", ...selectSums((sum) => columns[sum])];
    })
    .where("id", ">=", toRowIdPrefix(day))
    .where("id", "<", toRowIdPrefix(day + DAY_MS))
    .where("state", "in", FINAL_STATES)
    .where(WAS_SERVED)
    .groupBy(["forwarded_model", "response_model"])
    .$castTo<ReadGroup>()
    .execute();
}

function selectDailySums({ reports }: Database, day: number): Promise<ReadGroup[]> {
  return (
    reports
      .selectFrom("rollups_daily")
      .select((eb) => [
        "model as forwarded_model",
        sql<string>`''`.as("response_model"),
        ...selectSums((sum) => eb.ref(sum)),
      ])
      .where("day", "=", day)
      // Requests that upstream did not serve have no model in the sums.
      .where("model", "!=", "")
      .groupBy("model")
      .$castTo<ReadGroup>()
      .execute()
  );
}

function selectSums(toColumn: (sum: GroupSum) => Expression<unknown>) {
  return GROUP_SUMS.flatMap((sum) => {
    const { billions, rest } = selectSumParts(toColumn(sum));
    return [billions.as(`${sum}_billions`), rest.as(`${sum}_rest`)];
  });
}
