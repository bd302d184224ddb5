import { expect, test } from "vitest";
import { startAdminApp } from "../support/admin-app.ts";
import { createSettledRow, insertRequests } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { openTestDatabase } from "../support/test-database.ts";

test("reports and lists the requests of end users, and refuses groupings without sums", async () => {
  const database = await openTestDatabase();
  const fields = { group_id: "group_1", reserved_nanodollars: 2_000, reserved_in: "key:day" };
  await insertRequests(database, [
    createSettledRow(0, { ...fields, end_user: "ann" }),
    createSettledRow(1, { end_user: "bob" }),
  ]);
  const { port } = await startAdminApp(database);
  const get = async (path: string): Promise<{ status: number; text: string }> => {
    const { status, body } = await sendRequest(port, { method: "GET", path: `/admin/v1/${path}`, body: "" });
    return { status, text: body.toString() };
  };
  const period = "from=2026-11-01&to=2026-11-02";
  const report = await get(`usage?by=end_user,group&${period}`);
  expect(JSON.parse(report.text)).toMatchObject({
    data: [
      { end_user: "ann", group_id: null, group_name: null, cost_usd: "0.000001500" },
      { end_user: "bob" },
    ],
    total: { requests: 2 },
  });
  const csv = await get(`usage?by=end_user,group&${period}&format=csv`);
  expect(csv.text).toMatch(/^group_id,group_name,end_user,requests,/);
  const refused = await get(`usage?by=end_user,model&${period}`);
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("end_user and model")]);
  const rows = await get(`requests?end_user=ann&${period}`);
  expect(JSON.parse(rows.text)).toMatchObject({
    data: [{ end_user: "ann", ...fields, reserved_usd: "0.000002000" }],
  });
});
