import { sql } from "kysely";
import type { Database } from "../../store/database.ts";
import { databaseTime } from "../../store/database-time.ts";
import { STATE } from "../record.ts";
import { IS_UNFINISHED, IS_UNSETTLED } from "./state-conditions.ts";

/** Counting stops here, so that the queries are fast on every ledger. */
export const BACKLOG_MAX = 1_000;

/** Records without a cost; {@link BACKLOG_MAX} means that many or more. */
export interface LedgerBacklog {
  /** Pending records that are older than the time after which their cost is given up. */
  readonly overdue: number;
  /** Records whose cost will never be known. */
  readonly unknown: number;
}

/** Counts records without a cost, up to a limit. @param giveUpMs `SETTLE_GIVE_UP_MS`. */
export async function readLedgerBacklog(
  database: Pick<Database, "kysely" | "sqlite">,
  giveUpMs: number,
): Promise<LedgerBacklog> {
  const before = databaseTime(database, -giveUpMs);
  const overdue = sql`select 1 from requests where ${IS_UNFINISHED} and state = ${STATE.pending} and ended_at < ${before} limit ${BACKLOG_MAX}`;
  const unknown = sql`select 1 from requests where ${IS_UNSETTLED} and state = ${STATE.unknown} limit ${BACKLOG_MAX}`;
  const { rows } = await sql<LedgerBacklog>`
    select (select count(*) from (${overdue}) as o) as overdue, (select count(*) from (${unknown}) as u) as unknown`.execute(
    database.kysely,
  );
  return rows[0] ?? { overdue: 0, unknown: 0 };
}
