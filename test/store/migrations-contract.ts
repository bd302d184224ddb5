import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { migrate, MIGRATIONS } from "../../src/store/migrations.ts";
import { reportUsage } from "../../src/store/usage-report.ts";
import { DAY_MS, expectedSums, generateRollups, reportedSums } from "./rollup-rows.ts";
import { NOVEMBER } from "./rows.ts";

/** What upgrading owes, on every database. @param open gives an empty one without a schema. */
export function migrationsContract(open: () => Promise<Database>): void {
  test("a ledger of before there were sums by the day reports the same after the upgrade", async () => {
    const database = await open();
    const before = Object.fromEntries(
      Object.entries(MIGRATIONS).filter(([name]) => name < "0003-daily-rollups"),
    );
    await migrate(database.kysely, before);
    const rows = generateRollups();
    await database.kysely.insertInto("rollups").values(rows).execute();
    await database.migrate();
    const [from, to] = [NOVEMBER - DAY_MS, NOVEMBER + 3 * DAY_MS];
    const report = await reportUsage(database, { from, to, by: ["day", "key", "model", "provider"] });
    expect(reportedSums(report)).toEqual(expectedSums(rows, ["day", "key", "model", "provider"]));
  });
}
