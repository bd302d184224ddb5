import { expect, test } from "vitest";
import { reportUsage } from "../../src/store/usage-report.ts";
import { openTestDatabase } from "../support/store.ts";
import { plansOf } from "./plans.ts";
import { DAY_MS } from "./rollup-rows.ts";
import { NOVEMBER } from "./rows.ts";
import { testUsageReport } from "./usage-report-contract.ts";

testUsageReport(openTestDatabase);

test("a report reads the hours and days it is about, and of the requests only those that are not finished", async () => {
  const database = await openTestDatabase();
  const time = { from: NOVEMBER, to: NOVEMBER + 1 };
  const all = await plansOf(database, (watched) => reportUsage(watched, { ...time, by: ["day", "model"] }));
  expect(all.filter((step) => step.includes("rollups"))).toEqual([
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (hour>? AND hour<?)",
  ]);
  expect(all.filter((step) => step.includes("requests"))).toEqual([
    "SCAN requests USING INDEX requests_unfinished",
  ]);
  const ofDays = await plansOf(database, (watched) =>
    reportUsage(watched, { from: NOVEMBER + 1, to: NOVEMBER + 30 * DAY_MS, by: ["model"] }),
  );
  expect(ofDays.filter((step) => step.includes("rollups"))).toEqual([
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (hour>? AND hour<?)",
    "SEARCH rollups_daily USING INDEX sqlite_autoindex_rollups_daily_1 (day>? AND day<?)",
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (hour>? AND hour<?)",
  ]);
  const ofKey = await plansOf(database, (watched) =>
    reportUsage(watched, { ...time, by: ["day"], keyId: "key_a" }),
  );
  expect(ofKey.filter((step) => /rollups|requests/.test(step))).toEqual([
    "SEARCH rollups USING INDEX rollups_by_key (key_id=? AND hour>? AND hour<?)",
    "SCAN requests USING INDEX requests_unfinished",
  ]);
});
