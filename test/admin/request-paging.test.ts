import { expect, test } from "vitest";
import { insertRequests, createSettledRow } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { startAdminApp } from "../support/admin-app.ts";
import { testRequestPaging } from "./request-paging-contract.ts";

testRequestPaging(openTestDatabase);

test("a page reads only one row more than its limit", async () => {
  const database = await openTestDatabase();
  await insertRequests(
    database,
    Array.from({ length: 2_000 }, (_, index) => createSettledRow(index)),
  );
  const app = await startAdminApp(database);
  const statementsFor = async (limit: number): Promise<number> => {
    const before = app.countStatements();
    const path = `/admin/v1/requests?from=2026-11-01&to=2026-12-01&limit=${limit}`;
    expect((await sendRequest(app.port, { method: "GET", path, body: "" })).status).toBe(200);
    return app.countStatements() - before;
  };
  expect([await statementsFor(1), await statementsFor(199), await statementsFor(200)]).toEqual([1, 1, 2]);
});
