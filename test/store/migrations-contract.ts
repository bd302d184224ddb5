import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { migrate, MIGRATIONS } from "../../src/store/migrations.ts";
import { DAY_MS } from "../../src/durations.ts";
import { sumRollups, generateRollups, readReport, collectReportedSums } from "../support/rollup-rows.ts";
import { NOVEMBER } from "../support/ledger-rows.ts";

/** What upgrading owes, on every database. @param open gives an empty one without a schema. */
export function migrationsContract(open: () => Promise<Database>): void {
  test("a ledger of before there were sums by the day reports the same after the upgrade", async () => {
    const database = await open();
    const before = Object.entries(MIGRATIONS).filter(([name]) => name < "0003");
    await migrate(database.kysely, Object.fromEntries(before));
    const rows = generateRollups().map((row) => ({ ...row, cache_write_tokens: 0, byok_nanodollars: 0 }));
    const columns = rows.map(({ cache_write_tokens: _tokens, byok_nanodollars: _byok, ...row }) => row);
    await database.kysely
      .insertInto("rollups")
      .values(columns as typeof rows)
      .execute();
    await database.migrate();
    const [from, to] = [NOVEMBER - DAY_MS, NOVEMBER + 3 * DAY_MS];
    const report = await readReport(database, { from, to, by: ["day", "key", "model", "provider"] });
    expect(collectReportedSums(report)).toEqual(sumRollups(rows, ["day", "key", "model", "provider"]));
  });
}
