import type { Database } from "../../store/database.ts";
import { type RequestRow, toRowIdPrefix } from "../record.ts";
import { IS_FAILED } from "../request-results.ts";

/** Maximum rows that a report reads, failed or not. A thread reads them in some hundred ms. */
const ROWS_MAX = 100_000;
const GROUPS_MAX = 50;

/** The columns that requests of the same kind have in common. */
const KIND = ["endpoint", "forwarded_model", "provider", "status", "outcome"] as const;

/** Failed requests of the same kind. */
export interface FailureGroup extends Pick<RequestRow, (typeof KIND)[number]> {
  readonly requests: number;
  /** Start of the last of these requests, in ms since 1970. */
  readonly last_at: number;
  /** Id of its record. */
  readonly last_id: string;
}

/** The failed requests of a period. */
export interface FailureReport {
  /** The time from which requests were read: the start of the period if they were all read. In ms since 1970. */
  readonly from: number;
  readonly isComplete: boolean;
  /** The most frequent kinds, most requests first. */
  readonly groups: readonly FailureGroup[];
}

/**
 * Counts the failed requests of a period by kind, newest first, until the whole period or the maximum of rows has been read.
 * @param period ms since 1970; `to` is excluded. @param rowsMax the maximum of rows.
 */
export async function reportFailures(
  { reports }: Database,
  { from, to }: { readonly from: number; readonly to: number },
  rowsMax = ROWS_MAX,
): Promise<FailureReport> {
  const until = toRowIdPrefix(to);
  const limit = await reports
    .selectFrom("requests")
    .select(["id", "started_at"])
    .where("id", ">", toRowIdPrefix(from))
    .where("id", "<", until)
    .orderBy("id", "desc")
    .offset(rowsMax)
    .limit(1)
    .executeTakeFirst();
  const groups = await reports
    .selectFrom("requests")
    .select(KIND)
    .select((eb) => [
      eb.fn.countAll<number>().as("requests"),
      eb.fn.max("started_at").as("last_at"),
      eb.fn.max("id").as("last_id"),
    ])
    // No id equals a bare time prefix.
    .where("id", ">", limit?.id ?? toRowIdPrefix(from))
    .where("id", "<", until)
    .where(IS_FAILED)
    .groupBy(KIND)
    .orderBy("requests", "desc")
    .orderBy("last_id", "desc")
    .limit(GROUPS_MAX)
    .execute();
  return { from: limit?.started_at ?? from, isComplete: limit === undefined, groups };
}
