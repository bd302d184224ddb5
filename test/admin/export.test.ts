import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { insertRequests, NOVEMBER, createSettledRow } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { RawClient } from "../support/raw-client.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";
import { startAdminApp } from "../support/admin-app.ts";

const PERIOD = "from=2026-11-01&to=2026-12-01";
/** An upper bound of the JSON size of one page of rows. */
const PAGE_BYTES = 1_000_000;

async function createLedger(count: number): Promise<{ database: Database; rows: RequestRow[] }> {
  const database = await openTestDatabase();
  const rows = Array.from({ length: count }, (_, index) => createSettledRow(index * 10));
  await insertRequests(database, rows);
  return { database, rows };
}

/** Requests an export and reads only its head. */
async function startExport(port: number, query: string): Promise<IncomingMessage> {
  const request = get({ host: "127.0.0.1", port, path: `/admin/v1/requests?${query}`, agent: false });
  onTestFinished(() => void request.destroy());
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return response;
}

test("streams an export of 50,000 rows completely to a slow reader, with at most a few pages in memory", async () => {
  const { database, rows } = await createLedger(50_000);
  let mostBuffered = 0;
  const app = await startAdminApp(database, {
    beforeStatement: () => (mostBuffered = Math.max(mostBuffered, app.lastResponse()?.writableLength ?? 0)),
  });
  const response = await startExport(app.port, PERIOD);
  await waitUntil(() => app.lastResponse()?.writableNeedDrain, "the export to wait for its reader");
  const readAhead = app.countStatements();
  expect(readAhead).toBeLessThan(100);
  let text = "";
  for await (const bytes of response.setEncoding("utf8")) text += bytes as string;
  // The export executes one statement for each page of 200 rows, and one more that finds no rows.
  expect(app.countStatements()).toBe(251);
  expect(mostBuffered).toBeLessThan(3 * PAGE_BYTES);
  const { data } = JSON.parse(text) as { data: { id: string; cost_usd: string }[] };
  expect(data.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  expect(data[0]).toMatchObject({ cost_nanodollars: 1_500, cost_usd: "0.000001500" });
}, 60_000);

test("disconnects a client that does not read its export, and reads no more rows", async () => {
  const { database } = await createLedger(30_000);
  const app = await startAdminApp(database, { clientStallTimeoutMs: 300 });
  const response = await startExport(app.port, PERIOD);
  response.on("error", () => {});
  await waitUntil(() => app.ended.length === 1, "the export to be aborted");
  expect(app.ended[0]?.outcome).toBe("client_gone");
  const read = app.countStatements();
  expect(read).toBeLessThan(60);
  await sendRequest(app.port, { method: "GET", path: "/admin/v1/requests?to=2020-01-01", body: "" });
  expect(app.countStatements()).toBe(read + 1);
}, 60_000);

test("reads no more rows when the client of an export disconnects", async () => {
  const { database } = await createLedger(30_000);
  const app = await startAdminApp(database);
  const response = await startExport(app.port, PERIOD);
  await waitUntil(() => app.lastResponse()?.writableNeedDrain, "the export to wait for its reader");
  response.destroy();
  await waitUntil(() => app.ended.length === 1, "the export to end");
  const read = app.countStatements();
  expect(read).toBeLessThan(60);
  await sendRequest(app.port, { method: "GET", path: "/admin/v1/requests?to=2020-01-01", body: "" });
  expect(app.countStatements()).toBe(read + 1);
}, 60_000);

test("aborts an export that fails midway, so that the client sees an incomplete response, and logs the error", async () => {
  const { database } = await createLedger(3_000);
  const app = await startAdminApp(database, {
    beforeStatement(count) {
      if (count === 4) throw Object.assign(new Error("terminated"), { code: "57P01" });
    },
  });
  const client = new RawClient(app.port);
  client.send(`GET /admin/v1/requests?${PERIOD}&format=ndjson HTTP/1.1\r\nhost: gateway\r\n\r\n`);
  const response = await client.waitForEnd("the export");
  expect([response?.status, response?.complete]).toEqual([200, false]);
  await waitUntil(() => app.ended.length === 1, "the export to end");
  expect(app.ended[0]).toMatchObject({ errorCode: "store_unavailable", errorCause: "57P01" });
});

test("responds with 503 if the database is unavailable when an export begins", async () => {
  const app = await startAdminApp(await openTestDatabase(), {
    beforeStatement() {
      throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    },
  });
  const response = await sendRequest(app.port, { method: "GET", path: "/admin/v1/requests", body: "" });
  expect(response.status).toBe(503);
  expect(response.headers["retry-after"]).toBe("2");
  expect(JSON.parse(response.body.toString()).error.code).toBe("store_unavailable");
});

test("responds with 500 to any other database error, without its message", async () => {
  const app = await startAdminApp(await openTestDatabase(), {
    beforeStatement() {
      throw Object.assign(new Error("no such column"), { code: "42703" });
    },
  });
  const response = await sendRequest(app.port, { method: "GET", path: "/admin/v1/usage", body: "" });
  expect([response.status, JSON.parse(response.body.toString()).error.code]).toEqual([500, "internal_error"]);
  expect(response.body.toString()).not.toContain("column");
});

test.each(["json", "ndjson", "csv"])("an export of no rows and of one row is valid %s", async (format) => {
  const { database } = await createLedger(1);
  const app = await startAdminApp(database);
  const countRows = async (period: string): Promise<number> => {
    const path = `/admin/v1/requests?${period}&format=${format}`;
    const { body } = await sendRequest(app.port, { method: "GET", path, body: "" });
    const text = body.toString();
    if (format === "json") return (JSON.parse(text) as { data: unknown[] }).data.length;
    return text.split(format === "csv" ? "\r\n" : "\n").length - (format === "csv" ? 2 : 1);
  };
  expect(await countRows("to=2020-01-01")).toBe(0);
  expect(await countRows(PERIOD)).toBe(1);
});

test("exports only the rows that match the filters", async () => {
  const database = await openTestDatabase();
  await insertRequests(database, [
    createSettledRow(0),
    createSettledRow(1, { key_id: "env:team", key_name: "team" }),
    createSettledRow(2, { state: "pending", settle_at: 1, cost_nanodollars: null, cost_source: null }),
    createSettledRow(86_400_000),
  ]);
  const app = await startAdminApp(database);
  const listStarts = async (query: string): Promise<number[]> => {
    const path = `/admin/v1/requests?from=2026-11-01&${query}`;
    const { body } = await sendRequest(app.port, { method: "GET", path, body: "" });
    const { data } = JSON.parse(body.toString()) as { data: { started_at: string }[] };
    return data.map((row) => Date.parse(row.started_at) - NOVEMBER);
  };
  expect(await listStarts("to=2026-11-02")).toEqual([0, 1, 2]);
  expect(await listStarts("to=2026-12-01")).toEqual([0, 1, 2, 86_400_000]);
  expect(await listStarts("to=2026-11-01T00:00:00.002Z")).toEqual([0, 1]);
  expect(await listStarts("to=2026-11-02T01:00:00%2B01:00")).toEqual([0, 1, 2]);
  expect(await listStarts("to=2026-12-01&key=env:team")).toEqual([1]);
  expect(await listStarts("to=2026-12-01&state=pending")).toEqual([2]);
});
