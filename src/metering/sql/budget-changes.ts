import type { Kysely } from "kysely";
import type { BudgetId } from "../../budgets/budget-id.ts";
import { type RecordChange, settleBudgets } from "../../budgets/sql/settle-budgets.ts";
import { parseScope } from "../../budgets/scopes.ts";
import type { Database, Tables } from "../../store/database.ts";
import { alertThresholds } from "./budget-alerts.ts";
import { INTERRUPTED, type RequestRow, STATE, type State } from "../record.ts";

/** A changed record, and the state that it had in the database before; undefined if it was not there. */
export interface ChangedRow {
  readonly row: RequestRow;
  readonly before: State | undefined;
  /**
   * Whether the process of the request wrote the row. It then believes that the reservation is still in its lease, even if
   * another process has presumed the cost meanwhile.
   */
  readonly isOwnWrite?: boolean;
}

/**
 * Moves the money of changed records in budgets. Must run in the transaction that changes the records, after everything else,
 * because it locks rows that other replicas need.
 */
export async function changeBudgets(
  database: Database,
  transaction: Kysely<Tables>,
  changed: readonly ChangedRow[],
): Promise<void> {
  const budgets = await settleBudgets(database, transaction, changed.flatMap(toRecordChange));
  await alertThresholds(database, transaction, budgets);
}

/** Where the reservation of a record is, by the state of the record. */
const HELD_BY: Readonly<Record<State, "lease" | "presumed" | "nothing">> = {
  open: "lease",
  pending: "presumed",
  unknown: "presumed",
  settled: "nothing",
};

function toRecordChange({ row, before = STATE.open, isOwnWrite = false }: ChangedRow): RecordChange[] {
  const reserved = row.reserved_nanodollars ?? 0;
  const [from, to] = [HELD_BY[before], HELD_BY[row.state]];
  if (from === to) return [];
  const spent = row.state === STATE.settled ? (row.cost_nanodollars ?? 0) : 0;
  const mayBelieveInLease = isOwnWrite || row.outcome === INTERRUPTED;
  const fromLease = computeFromLease({ from, to, reserved, spent, mayBelieveInLease });
  const presumed = (to === "presumed" ? reserved : 0) - (from === "presumed" ? reserved : 0);
  return [
    {
      instance: row.instance,
      keyId: row.key_id,
      groupId: row.group_id,
      endUser: row.end_user,
      startedAt: row.started_at,
      reservedIn: row.reserved_in,
      spent,
      fromLease,
      presumed,
    },
  ];
}

interface Move {
  readonly from: "lease" | "presumed" | "nothing";
  readonly to: "lease" | "presumed" | "nothing";
  readonly reserved: number;
  readonly spent: number;
  readonly mayBelieveInLease: boolean;
}

/**
 * Computes the amount to take from the lease. When a process learns the cost of its own request, it keeps the rest of the
 * reservation in its lease. If another process presumed the reservation meanwhile, the rest returns to the lease: the amount is
 * negative. The rest also returns if a third process settles the request, because its own process may be alive and count on it.
 */
function computeFromLease({ from, to, reserved, spent, mayBelieveInLease }: Move): number {
  const used = Math.min(spent, reserved);
  if (from === "lease") return to === "presumed" ? reserved : used;
  return mayBelieveInLease && to === "nothing" ? used - reserved : 0;
}

/** Reads what the requests of a scope that began in a period have cost, from the daily sums. Periods begin with a day. */
export async function readSpent(transaction: Kysely<Tables>, { scope, startsAt }: BudgetId): Promise<number> {
  const { kind, id, keyId } = parseScope(scope);
  if (kind === "end_user") {
    const sum = await transaction
      .selectFrom("rollups_end_users")
      .select((eb) => eb.fn.sum<number | null>("cost_nanodollars").as("spent"))
      .where("key_id", "=", keyId ?? "")
      .where("end_user", "=", id)
      .where("day", ">=", startsAt)
      .executeTakeFirst();
    return sum?.spent ?? 0;
  }
  const query = transaction
    .selectFrom("rollups_daily")
    .select((eb) => eb.fn.sum<number | null>("cost_nanodollars").as("spent"))
    .where("day", ">=", startsAt);
  const ofScope =
    kind === "key"
      ? query.where("key_id", "=", id)
      : query.where("key_id", "in", (eb) =>
          eb.selectFrom("keys").select("keys.id").where("group_id", "=", id),
        );
  return (await ofScope.executeTakeFirst())?.spent ?? 0;
}
