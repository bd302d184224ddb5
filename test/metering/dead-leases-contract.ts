import { expect, test } from "vitest";
import { readDeadLeases, releaseDeadLeases } from "../../src/metering/dead-leases.ts";
import { adoptOrphans, heartbeat } from "../../src/metering/sql/instances.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { formatUsd } from "../../src/money.ts";
import type { Database } from "../../src/store/database.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import type { OpenDatabase } from "../support/ledger-rows.ts";
import { createRequestRow } from "../support/request-row.ts";
import { readBudgets } from "../budgets/budgets-contract.ts";

const BY = { actor: "cli", source: "ann@host" };
const SILENCE = { deadAfterMs: 60_000, lostAfterMs: 3_600_000 };
const KEY = createBudgetKey({ total: { limitNanodollars: 1_000, mode: "hard" } });
const RELEASE = { instance: "a", isForced: false, by: BY };

/** Admits a request of process `a`, which then sends no heartbeat any more. @returns the amount of its lease. */
async function createLease(database: Database, writesRow: boolean): Promise<number> {
  const replica = new BudgetReplica({ database, instance: "a" });
  const request = await replica.admit(KEY, 600);
  if (writesRow) await request.write({});
  // Otherwise, a refill in the background could change the lease. The request still holds its reservation.
  await replica.budgets.close();
  const [budget] = await readBudgets(database);
  return budget?.leased ?? 0;
}

async function silence({ kysely }: Database): Promise<void> {
  await kysely.updateTable("instances").set({ seen_at: 0 }).execute();
}

const readAudit = ({ kysely }: Database) => kysely.selectFrom("audit").selectAll().execute();

/** Tests of the leases of dead processes, for every database. @param open returns an empty database. */
export function deadLeasesContract(open: OpenDatabase): void {
  test("lists and releases the presumed leases of a dead process once, and audits the release", async () => {
    const database = await open();
    await heartbeat(database, "a");
    const amount = await createLease(database, false);
    expect(await readDeadLeases(database, 10)).toEqual([]);
    await silence(database);
    await adoptOrphans(database, { ...SILENCE, lostAfterMs: Number.MAX_SAFE_INTEGER / 1_000 });
    expect(await readDeadLeases(database, 10)).toMatchObject([
      { instance: "a", scope: "key:key_1", period: "total", amount_nanodollars: amount, is_expired: 1 },
    ]);
    expect(await readBudgets(database)).toMatchObject([{ spent: 0, presumed: amount, leased: 0 }]);
    const results = await Promise.all([
      releaseDeadLeases(database, RELEASE),
      releaseDeadLeases(database, RELEASE),
    ]);
    const id = { scope: "key:key_1", period: "total", startsAt: 0 };
    expect(results).toContainEqual({ released: [{ id, nanodollars: amount }] });
    expect(results).toContainEqual({ refusal: "no_leases" });
    expect(await readBudgets(database)).toMatchObject([{ spent: 0, presumed: 0, leased: 0 }]);
    expect(await readDeadLeases(database, 10)).toEqual([]);
    const audit = await readAudit(database);
    expect(audit).toMatchObject([{ action: "release_leases", key_id: null, ...BY }]);
    expect(JSON.parse(audit[0]?.details ?? "")).toEqual({
      instance: "a",
      leases: 1,
      sum_of_leases_usd: formatUsd(amount),
      forced: false,
    });
  });

  test("releases leases that no gateway has presumed yet only if forced, because the process may be alive", async () => {
    const database = await open();
    const amount = await createLease(database, false);
    expect(await readDeadLeases(database, 10)).toMatchObject([{ seen_at: null, is_expired: 0 }]);
    expect(await releaseDeadLeases(database, RELEASE)).toEqual({ refusal: "not_presumed" });
    expect(await readBudgets(database)).toMatchObject([{ leased: amount }]);
    expect(await releaseDeadLeases(database, { ...RELEASE, isForced: true })).toMatchObject({
      released: [{ nanodollars: amount }],
    });
    expect(await readBudgets(database)).toMatchObject([{ spent: 0, presumed: 0, leased: 0 }]);
  });

  test("refuses to release the leases of a live process, even if forced", async () => {
    const database = await open();
    await heartbeat(database, "a");
    const amount = await createLease(database, false);
    const result = await releaseDeadLeases(database, { ...RELEASE, isForced: true });
    expect(result).toEqual({ refusal: "alive" });
    expect(await readBudgets(database)).toMatchObject([{ leased: amount }]);
    expect(await readAudit(database)).toEqual([]);
  });

  test("releases the leases of a process with open requests only if forced, and their rows still count", async () => {
    const database = await open();
    const amount = await createLease(database, true);
    expect(await releaseDeadLeases(database, RELEASE)).toEqual({ refusal: "open_requests" });
    const result = await releaseDeadLeases(database, { ...RELEASE, isForced: true });
    expect(result).toMatchObject({ released: [{ nanodollars: amount }] });
    expect(await readBudgets(database)).toMatchObject([{ spent: 0, presumed: 0, leased: 0 }]);
    await adoptOrphans(database, { deadAfterMs: 0, lostAfterMs: 0 });
    expect(await readBudgets(database)).toMatchObject([{ spent: 0, presumed: 600, leased: 0 }]);
  });

  test("a row that a journal adds after the release counts its cost", async () => {
    const database = await open();
    await createLease(database, false);
    await releaseDeadLeases(database, { ...RELEASE, isForced: true });
    const row = createRequestRow("late", {
      instance: "a",
      state: "settled",
      cost_nanodollars: 70,
      reserved_nanodollars: 600,
      reserved_in: "key:total",
      started_at: Date.now(),
    });
    await writeRequests(database, [row]);
    expect(await readBudgets(database)).toMatchObject([{ spent: 70, presumed: 0, leased: 0 }]);
  });
}
