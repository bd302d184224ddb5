import { expect, test } from "vitest";
import { reportUsage, type UsageQuery, compileUsageQuery } from "../../../src/metering/sql/report.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { explainQuery } from "../../support/query-plans.ts";
import { DAY_MS, HOUR_MS } from "../../../src/durations.ts";
import { insertRollups, createRollup } from "../../support/rollup-rows.ts";
import { NOVEMBER } from "../../support/ledger-rows.ts";
import { testUsageReport } from "./report-contract.ts";

testUsageReport(openTestDatabase);

test("a report reads only the hours and days of its period", async () => {
  const database = await openTestDatabase();
  const plan = (query: UsageQuery) =>
    explainQuery(database, compileUsageQuery(database.kysely, query)).filter((step) =>
      step.includes("rollups"),
    );
  const time = { from: NOVEMBER, to: NOVEMBER + HOUR_MS };
  expect(plan({ ...time, by: ["day", "model"] })).toEqual([
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (hour>? AND hour<?)",
  ]);
  expect(plan({ from: NOVEMBER + HOUR_MS, to: NOVEMBER + 30 * DAY_MS, by: ["model"] })).toEqual([
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (hour>? AND hour<?)",
    "SEARCH rollups_daily USING INDEX sqlite_autoindex_rollups_daily_1 (day>? AND day<?)",
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (hour>? AND hour<?)",
  ]);
  expect(plan({ ...time, by: ["endpoint"], endpoint: "embeddings" })).toEqual([
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (hour>? AND hour<?)",
  ]);
  expect(plan({ ...time, by: ["day", "endpoint"], keyId: "key_a", endpoint: "rerank" })).toEqual([
    "SEARCH rollups USING INDEX rollups_by_key (key_id=? AND hour>? AND hour<?)",
  ]);
  expect(plan({ ...time, by: ["day"], keyId: "key_a" })).toEqual([
    "SEARCH rollups USING INDEX rollups_by_key (key_id=? AND hour>? AND hour<?)",
  ]);
});

test("a report of many lines does not block the event loop", async () => {
  const database = await openTestDatabase();
  const rows = Array.from({ length: 40_000 }, (_, index) =>
    createRollup(NOVEMBER, [`key_${index}`, "a/b", "P"]),
  );
  await insertRollups(database, rows);
  // Measures this thread's CPU time between two turns of the event loop, which excludes the time of other processes.
  let mostMicros = 0;
  let before = process.threadCpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    mostMicros = Math.max(mostMicros, user + system);
    before = process.threadCpuUsage();
  }, 1);
  const time = { from: NOVEMBER, to: NOVEMBER + DAY_MS };
  const { pages, total } = await reportUsage(database, { ...time, by: ["key"] });
  let lines = 0;
  for await (const page of pages) lines += page.length;
  clearInterval(timer);
  expect([lines, total().requests]).toEqual([40_000, 40_000n]);
  // On the main connection, the query would block requests for several hundred milliseconds.
  expect(mostMicros / 1_000).toBeLessThan(50);
}, 60_000);
