import { sql } from "kysely";
import type { Database } from "../../src/store/database.ts";

/** Round trips that changed the lease of a budget: draws of money, and returns of idle money. */
export interface LeaseChanges {
  readonly draws: number;
  readonly returns: number;
}

const IS_DRAW = "new.leased_nanodollars > old.leased_nanodollars";
const IS_RETURN =
  "new.leased_nanodollars < old.leased_nanodollars and new.spent_nanodollars = old.spent_nanodollars and new.presumed_nanodollars = old.presumed_nanodollars";
const INSERT = `insert into simulated_lease_changes select new.scope, case when ${IS_DRAW} then 1 else 0 end where ${IS_DRAW} or (${IS_RETURN});`;

/** Adds a trigger to the database that counts changes of leases. */
export async function countLeaseChanges({ kysely, sqlite }: Database): Promise<void> {
  await kysely.schema
    .createTable("simulated_lease_changes")
    .addColumn("scope", "text", (column) => column.notNull())
    .addColumn("is_draw", "integer", (column) => column.notNull())
    .execute();
  if (sqlite) {
    await sql
      .raw(
        `create trigger simulated_lease_change after update on budget_periods for each row begin ${INSERT} end`,
      )
      .execute(kysely);
    return;
  }
  await sql
    .raw(
      `create function simulated_lease_change() returns trigger language plpgsql as $$ begin ${INSERT} return null; end $$`,
    )
    .execute(kysely);
  await sql`create trigger simulated_lease_change after update on budget_periods
    for each row execute function simulated_lease_change()`.execute(kysely);
}

/** Reads how often the leases of a scope changed. */
export async function readLeaseChanges({ kysely }: Database, scope: string): Promise<LeaseChanges> {
  const { rows } = await sql<{ is_draw: number; count: number | string }>`
    select is_draw, count(*) as count from simulated_lease_changes where scope = ${scope} group by is_draw`.execute(
    kysely,
  );
  const find = (isDraw: number): number => Number(rows.find(({ is_draw }) => is_draw === isDraw)?.count ?? 0);
  return { draws: find(1), returns: find(0) };
}
