import { expect, test } from "vitest";
import { DAY_MS } from "../../../src/durations.ts";
import { readRequestPages } from "../../../src/metering/sql/export.ts";
import { compileUsageQuery } from "../../../src/metering/sql/report.ts";
import { NOVEMBER } from "../../support/ledger-rows.ts";
import { explainQuery, explainStatements } from "../../support/query-plans.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { endUserReportContract } from "./end-user-report-contract.ts";

endUserReportContract(openTestDatabase);

const TIME = { from: NOVEMBER, to: NOVEMBER + DAY_MS };

test("a report by end user reads only the days of its period", async () => {
  const database = await openTestDatabase();
  const plan = (keyId?: string) =>
    explainQuery(database, compileUsageQuery(database.kysely, { ...TIME, by: ["end_user"], keyId })).filter(
      (step) => step.includes("rollups"),
    );
  const [all, ofKey] = [plan(), plan("key_a")];
  expect(all).toEqual([
    expect.stringMatching(/^SEARCH rollups_end_users USING INDEX .*\(day>\? AND day<\?\)$/),
  ]);
  expect(ofKey).toEqual([expect.stringMatching(/^SEARCH rollups_end_users USING .*INDEX .*\((key_id|day)/)]);
});

test("finds the requests of an end user by their index", async () => {
  const database = await openTestDatabase();
  const steps = await explainStatements(database, (watched) =>
    Array.fromAsync(readRequestPages(watched, { ...TIME, endUser: "ann" })),
  );
  expect(steps).toContainEqual(
    expect.stringContaining("USING INDEX requests_by_end_user (end_user=? AND id>? AND id<?)"),
  );
});
