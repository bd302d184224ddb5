import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { deleteRequestsBefore } from "../../../src/metering/sql/retention.ts";
import { addRequests, NOVEMBER, type Open, settledRow } from "../../support/ledger-rows.ts";

async function idsIn({ kysely }: Database): Promise<string[]> {
  const rows = await kysely.selectFrom("requests").select("id").orderBy("id").execute();
  return rows.map(({ id }) => id);
}

/** What the deletion of old rows owes, on every database. */
export function testRetention(open: Open): void {
  test("finished rows from before the time are deleted, however many, and no others", async () => {
    const database = await open();
    const old = Array.from({ length: 2_300 }, (_, index) =>
      settledRow(index, { state: index % 5 === 0 ? "unknown" : "settled" }),
    );
    const kept = [
      settledRow(1, { state: "open" }, 1),
      settledRow(2, { state: "pending", settle_at: 1 }, 1),
      settledRow(2_300),
      settledRow(2_301),
    ];
    await addRequests(database, [...old, ...kept]);
    expect(await deleteRequestsBefore(database, NOVEMBER + 2_300)).toBe(2_300);
    expect(await idsIn(database)).toEqual(kept.map(({ id }) => id));
    expect(await deleteRequestsBefore(database, NOVEMBER + 2_300)).toBe(0);
  });

  test("what was deleted stays in the sums", async () => {
    const database = await open();
    await addRequests(database, [settledRow(0), settledRow(1)]);
    const sums = () => database.kysely.selectFrom("rollups").selectAll().execute();
    const before = await sums();
    expect(before).toMatchObject([{ requests: 2, cost_nanodollars: 3_000 }]);
    expect(await deleteRequestsBefore(database, NOVEMBER + 10)).toBe(2);
    expect(await sums()).toEqual(before);
  });

  test("a deletion that is to end ends after the batch under way", async () => {
    const database = await open();
    await addRequests(
      database,
      Array.from({ length: 1_500 }, (_, index) => settledRow(index)),
    );
    expect(await deleteRequestsBefore(database, NOVEMBER + 10_000, AbortSignal.abort())).toBe(1_000);
    expect(await idsIn(database)).toHaveLength(500);
  });
}
