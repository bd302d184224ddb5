import type { Kysely, Transaction } from "kysely";
import { BIGINT, type RowOf, TEXT } from "../../store/columns.ts";
import type { Database, Tables } from "../../store/database.ts";
import { type RequestRow, toSums } from "../record.ts";
import { LATENCY_COLUMNS, toLatencyCounts } from "../latency-counts.ts";
import { addToEndUserRollups } from "./end-user-rollups.ts";
import { floorToDay, floorToHour } from "./rollup-times.ts";
import { wasServed } from "./served-requests.ts";
import { createSumTable, type SparseRow, SUM_COLUMNS } from "./sum-statements.ts";

const GROUP_COLUMNS = { key_id: TEXT, model: TEXT, provider: TEXT, endpoint: TEXT };

/** Columns of the hourly sums. `hour` is the UTC hour in which the requests started, in ms since 1970. */
export const HOURLY_COLUMNS = { hour: BIGINT, ...GROUP_COLUMNS, ...SUM_COLUMNS, ...LATENCY_COLUMNS };
/** Columns of the daily sums. */
export const DAILY_COLUMNS = { day: BIGINT, ...GROUP_COLUMNS, ...SUM_COLUMNS, ...LATENCY_COLUMNS };

/** The sums of one hour, key, model, provider and endpoint. */
export type RollupRow = RowOf<typeof HOURLY_COLUMNS>;
/** The hour and the group of a rollup. */
type RollupGroup = Pick<RollupRow, "hour" | keyof typeof GROUP_COLUMNS>;
type DailyRow = RowOf<typeof DAILY_COLUMNS>;

declare module "../../store/database.ts" {
  interface Tables {
    rollups: RollupRow;
    rollups_daily: DailyRow;
  }
}

const GROUP = Object.keys(GROUP_COLUMNS);
const HOURLY = createSumTable("rollups", ["hour", ...GROUP], HOURLY_COLUMNS);
const DAILY = createSumTable("rollups_daily", ["day", ...GROUP], DAILY_COLUMNS);

/**
 * Adds requests that have become final to the sums of their hour, day, key, model, provider and endpoint, and to those of their
 * end user. Must run in the transaction that made the requests final, so that each request is counted once.
 * @param corrected previous versions of corrected rows; their amounts are subtracted.
 */
export async function addToRollups(
  database: Database,
  transaction: Transaction<Tables>,
  settled: readonly RequestRow[],
  corrected: readonly RequestRow[] = [],
): Promise<void> {
  const wrong = corrected.map(toRollup);
  const hours = HOURLY.merge([...settled.map(toRollup), ...wrong.map((row) => HOURLY.negate(row))]);
  await addSums(database, transaction, hours);
  await addToEndUserRollups(database, transaction, settled, corrected);
  await deleteEmptySums(transaction, wrong);
}

/**
 * Deletes groups that have no requests left. A correction that adds a provider or a generation id moves a request to another
 * group.
 */
async function deleteEmptySums(
  transaction: Transaction<Tables>,
  groups: readonly RollupGroup[],
): Promise<void> {
  for (const { hour, key_id, model, provider, endpoint } of groups) {
    const group = { key_id, model, provider, endpoint, requests: 0 };
    await transaction
      .deleteFrom("rollups")
      .where((eb) => eb.and({ ...group, hour }))
      .execute();
    await transaction
      .deleteFrom("rollups_daily")
      .where((eb) => eb.and({ ...group, day: floorToDay(hour) }))
      .execute();
  }
}

/** Adds hourly sums to the hourly and daily tables. @param hours rows with distinct hour, key, model, provider and endpoint. */
export async function addSums(
  { sqlite }: Database,
  transaction: Kysely<Tables>,
  hours: readonly RollupRow[],
): Promise<void> {
  if (hours.length === 0) return;
  const days = DAILY.merge(hours.map(({ hour, ...sums }) => ({ day: floorToDay(hour), ...sums })));
  if (sqlite) {
    const [addHour, addDay] = [HOURLY.prepare(sqlite), DAILY.prepare(sqlite)];
    for (const row of hours) addHour(row);
    for (const row of days) addDay(row);
  } else {
    await HOURLY.build(hours).execute(transaction);
    await DAILY.build(days).execute(transaction);
  }
}

function toRollup(row: RequestRow): SparseRow<typeof HOURLY_COLUMNS> & RollupGroup {
  return {
    ...toSums(row),
    ...toLatencyCounts(row),
    hour: floorToHour(row.started_at),
    key_id: row.key_id,
    // A client can send any text as model; only served models enter the permanent sums.
    model: wasServed(row) ? (row.forwarded_model ?? "") : "",
    provider: row.provider ?? "",
    endpoint: row.endpoint,
  };
}
