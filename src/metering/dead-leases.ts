import type { BudgetLeaseTable } from "../budgets/sql/budget-tables.ts";
import { releaseInTransaction } from "../budgets/sql/lease-expiry.ts";
import { insertAudit } from "../keys/audit-rows.ts";
import { runKeyChange } from "../keys/key-rows.ts";
import type { Actor } from "../keys/managed-key.ts";
import { formatUsd } from "../money.ts";
import type { Database } from "../store/database.ts";
import { databaseTime } from "../store/database-time.ts";
import { DEAD_AFTER_MS } from "./orphan-recovery.ts";
import { hasOpenRequests } from "./sql/instances.ts";

/** The lease of a dead process in one budget. */
export interface DeadLease extends BudgetLeaseTable {
  /** The last heartbeat of the process, in ms since 1970 by the database's clock; null if it is no longer known. */
  readonly seen_at: number | null;
}

/** Reads the leases of processes without a heartbeat in the last minute, by the database's clock. @param limit of leases. */
export async function readDeadLeases(database: Database, limit: number): Promise<DeadLease[]> {
  return database.reader
    .selectFrom("budget_leases")
    .leftJoin("instances", "instances.id", "budget_leases.instance")
    .selectAll("budget_leases")
    .select("instances.seen_at")
    .where("amount_nanodollars", ">", 0)
    .where((eb) =>
      eb.or([eb("seen_at", "is", null), eb("seen_at", "<", databaseTime(database, -DEAD_AFTER_MS))]),
    )
    .orderBy("instance")
    .orderBy("scope")
    .orderBy("period")
    .orderBy("starts_at")
    .limit(limit)
    .execute();
}

/** The leases to release. */
export interface LeaseRelease {
  readonly instance: string;
  /** Whether to release them although the database has open requests of the process. */
  readonly isForced: boolean;
  readonly by: Actor;
}

/** The released amount in nanodollars, or the reason why nothing was released. */
export type LeaseReleaseResult =
  | { readonly released: bigint }
  | { readonly refusal: "alive" | "open_requests" | "no_leases" };

/**
 * Gives the leases of a dead process back to their budgets. Its requests that no journal and no row records count as 0 from
 * then on. The change and its audit entry are one transaction.
 */
export async function releaseDeadLeases(
  database: Database,
  { instance, isForced, by }: LeaseRelease,
): Promise<LeaseReleaseResult> {
  return runKeyChange(database, async (change) => {
    const { transaction } = change;
    const alive = await transaction
      .selectFrom("instances")
      .select("id")
      .where("id", "=", instance)
      .where("seen_at", ">=", databaseTime(database, -DEAD_AFTER_MS))
      .executeTakeFirst();
    if (alive) return { refusal: "alive" };
    if (!isForced && (await hasOpenRequests(transaction, instance))) return { refusal: "open_requests" };
    const released = await releaseInTransaction(database, transaction, instance);
    if (released === 0n) return { refusal: "no_leases" };
    const details = { instance, amount_usd: formatUsd(released), forced: isForced };
    await insertAudit(change, { at: Date.now(), by, action: "release_leases", keyId: null, details });
    return { released };
  });
}
