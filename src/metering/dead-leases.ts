import type { Transaction } from "kysely";
import type { BudgetAmount } from "../budgets/budget-store.ts";
import type { BudgetLeaseTable } from "../budgets/sql/budget-tables.ts";
import { releaseInTransaction } from "../budgets/sql/lease-expiry.ts";
import { insertAudit } from "../keys/audit-rows.ts";
import { runKeyChange } from "../keys/key-rows.ts";
import type { Actor } from "../keys/managed-key.ts";
import { formatUsd } from "../money.ts";
import type { Database, Tables } from "../store/database.ts";
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

/**
 * Whether a process has leases that no gateway has presumed. Gateways presume leases only after a minute of heartbeats of their own.
 * After an outage of the database or a jump of its clock, all processes appear dead until their next heartbeat.
 */
async function hasLiveLeases(transaction: Transaction<Tables>, instance: string): Promise<boolean> {
  const lease = await transaction
    .selectFrom("budget_leases")
    .select("scope")
    .where("instance", "=", instance)
    .where("is_expired", "=", 0)
    .where("amount_nanodollars", ">", 0)
    .limit(1)
    .executeTakeFirst();
  return lease !== undefined;
}

/** The leases to release. */
export interface LeaseRelease {
  readonly instance: string;
  /** Whether to release them although the database has open requests of the process, or no gateway has presumed the leases. */
  readonly isForced: boolean;
  readonly by: Actor;
}

/**
 * The amount that each budget got back, in nanodollars, or the reason why nothing was released. Two budgets of a request hold the
 * same money.
 */
export type LeaseReleaseResult =
  | { readonly released: readonly BudgetAmount[] }
  | { readonly refusal: "alive" | "open_requests" | "not_presumed" | "no_leases" };

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
    if (!isForced && (await hasLiveLeases(transaction, instance))) return { refusal: "not_presumed" };
    const all = await releaseInTransaction(database, transaction, instance);
    const released = all.filter(({ nanodollars }) => nanodollars > 0);
    if (released.length === 0) return { refusal: "no_leases" };
    const sum = released.reduce((total, { nanodollars }) => total + BigInt(nanodollars), 0n);
    const details = {
      instance,
      leases: released.length,
      sum_of_leases_usd: formatUsd(sum),
      forced: isForced,
    };
    await insertAudit(change, { at: Date.now(), by, action: "release_leases", keyId: null, details });
    return { released };
  });
}
