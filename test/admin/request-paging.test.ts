import { expect, test } from "vitest";
import { addRequests, settledRow } from "../support/ledger-rows.ts";
import { ask } from "../support/ask.ts";
import { openTestDatabase } from "../support/store.ts";
import { startAdminApp } from "../support/admin-app.ts";
import { testRequestPaging } from "./request-paging-contract.ts";

testRequestPaging(openTestDatabase);

test("a page reads no further than to know whether there is a next one", async () => {
  const database = await openTestDatabase();
  await addRequests(
    database,
    Array.from({ length: 2_000 }, (_, index) => settledRow(index)),
  );
  const app = await startAdminApp(database);
  const statementsFor = async (limit: number): Promise<number> => {
    const before = app.statements();
    const path = `/admin/v1/requests?from=2026-11-01&to=2026-12-01&limit=${limit}`;
    expect((await ask(app.port, { method: "GET", path, body: "" })).status).toBe(200);
    return app.statements() - before;
  };
  expect([await statementsFor(1), await statementsFor(199), await statementsFor(200)]).toEqual([1, 1, 2]);
});
