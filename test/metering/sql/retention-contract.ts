import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { deleteRequestsBefore } from "../../../src/metering/sql/retention.ts";
import { insertRequests, NOVEMBER, type OpenDatabase, createSettledRow } from "../../support/ledger-rows.ts";

async function readIds({ kysely }: Database): Promise<string[]> {
  const rows = await kysely.selectFrom("requests").select("id").orderBy("id").execute();
  return rows.map(({ id }) => id);
}

/** Tests of the deletion of old rows, for every database. */
export function testRetention(open: OpenDatabase): void {
  test("deletes all final rows that began before the cutoff, and no others", async () => {
    const database = await open();
    const old = Array.from({ length: 2_300 }, (_, index) =>
      createSettledRow(index, { state: index % 5 === 0 ? "unknown" : "settled" }),
    );
    const kept = [
      createSettledRow(1, { state: "open" }, 1),
      createSettledRow(2, { state: "pending", settle_at: 1 }, 1),
      createSettledRow(2_300),
      createSettledRow(2_301),
    ];
    await insertRequests(database, [...old, ...kept]);
    expect(await deleteRequestsBefore(database, NOVEMBER + 2_300)).toBe(2_300);
    expect(await readIds(database)).toEqual(kept.map(({ id }) => id));
    expect(await deleteRequestsBefore(database, NOVEMBER + 2_300)).toBe(0);
  });

  test("keeps the sums of deleted rows", async () => {
    const database = await open();
    await insertRequests(database, [createSettledRow(0), createSettledRow(1)]);
    const sums = () => database.kysely.selectFrom("rollups").selectAll().execute();
    const before = await sums();
    expect(before).toMatchObject([{ requests: 2, cost_nanodollars: 3_000 }]);
    expect(await deleteRequestsBefore(database, NOVEMBER + 10)).toBe(2);
    expect(await sums()).toEqual(before);
  });

  test("ends an aborted deletion after the current batch", async () => {
    const database = await open();
    await insertRequests(
      database,
      Array.from({ length: 1_500 }, (_, index) => createSettledRow(index)),
    );
    expect(await deleteRequestsBefore(database, NOVEMBER + 10_000, AbortSignal.abort())).toBe(1_000);
    expect(await readIds(database)).toHaveLength(500);
  });
}
