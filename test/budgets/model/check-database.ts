import assert from "node:assert/strict";
import type { Database } from "../../../src/store/database.ts";
import { formatPeriod, type ModelBudget, type Reference, sum } from "./reference.ts";

/** Reads all tables of budgets and all records, in one snapshot. */
async function readAll({ kysely, sqlite }: Database) {
  const transaction = kysely.transaction();
  return (sqlite ? transaction : transaction.setIsolationLevel("repeatable read")).execute(
    async (snapshot) => ({
      periods: await snapshot.selectFrom("budget_periods").selectAll().execute(),
      leases: await snapshot.selectFrom("budget_leases").selectAll().execute(),
      requests: await snapshot.selectFrom("requests").selectAll().execute(),
    }),
  );
}

export type Snapshot = Awaited<ReturnType<typeof readAll>>;

/**
 * Checks that each budget in the database equals the sums of its records and leases, and that no amount is negative.
 * @param listBudgets lists the budgets of a record.
 */
export async function checkDatabase(
  database: Database,
  listBudgets: (keyId: string, endUser: string | null) => readonly ModelBudget[],
): Promise<Snapshot> {
  const snapshot = await readAll(database);
  const { periods, leases, requests } = snapshot;
  for (const row of periods) {
    const name = `${row.scope} ${row.period} ${row.starts_at}`;
    const records = requests.filter(({ key_id, end_user, started_at }) =>
      listBudgets(key_id, end_user).some((budget) => formatPeriod(budget, started_at) === name),
    );
    const leasesOf = leases.filter(
      ({ scope, period, starts_at }) => `${scope} ${period} ${starts_at}` === name,
    );
    const sumLeases = (isExpired: number): number =>
      sum(
        leasesOf.filter((lease) => lease.is_expired === isExpired).map((lease) => lease.amount_nanodollars),
      );
    const uncertain = records.filter(({ state }) => state === "pending" || state === "unknown");
    assert.deepEqual(
      {
        name,
        spent: row.spent_nanodollars,
        presumed: row.presumed_nanodollars,
        leased: row.leased_nanodollars,
        negativeLeases: leasesOf.filter(({ amount_nanodollars }) => amount_nanodollars < 0),
      },
      {
        name,
        spent: sum(records.map(({ cost_nanodollars }) => cost_nanodollars ?? 0)),
        presumed: sum(uncertain.map((record) => record.reserved_nanodollars ?? 0)) + sumLeases(1),
        leased: sumLeases(0),
        negativeLeases: [],
      },
    );
  }
  return snapshot;
}

/** Checks that budgets have only the bills of requests, and the worst cases of those whose bills stay unknown. */
export function checkEnd({ periods, leases, requests }: Snapshot, reference: Reference): void {
  assert.deepEqual(leases, [], "leases at the end");
  assert.equal(
    requests.find(({ state }) => state === "open"),
    undefined,
  );
  const known = new Set(
    requests.filter(({ state }) => state === "settled").map(({ request_id }) => request_id),
  );
  for (const row of periods) {
    const name = `${row.scope} ${row.period} ${row.starts_at}`;
    const all = reference.list(name);
    const expected = {
      name,
      spent: sum(all.filter(({ id }) => known.has(id)).map(({ billed }) => billed ?? 0)),
      presumed: sum(all.filter(({ id }) => !known.has(id)).map(({ worstCase }) => worstCase)),
      leased: 0,
    };
    const { spent_nanodollars: spent, presumed_nanodollars: presumed, leased_nanodollars: leased } = row;
    assert.deepEqual({ name, spent, presumed, leased }, expected);
  }
}
