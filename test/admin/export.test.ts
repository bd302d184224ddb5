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
/** Upper estimate of the size of a page of rows as JSON. */
const PAGE_BYTES = 1_000_000;

async function ledgerOf(count: number): Promise<{ database: Database; rows: RequestRow[] }> {
  const database = await openTestDatabase();
  const rows = Array.from({ length: count }, (_, index) => createSettledRow(index * 10));
  await insertRequests(database, rows);
  return { database, rows };
}

/** Requests an export and reads only its head. */
async function begin(port: number, query: string): Promise<IncomingMessage> {
  const request = get({ host: "127.0.0.1", port, path: `/admin/v1/requests?${query}`, agent: false });
  onTestFinished(() => void request.destroy());
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return response;
}

test("streams an export of 50,000 rows completely to a slow reader, with at most a few pages in memory", async () => {
  const { database, rows } = await ledgerOf(50_000);
  let mostHeld = 0;
  const app = await startAdminApp(database, {
    beforeStatement: () => (mostHeld = Math.max(mostHeld, app.lastResponse()?.writableLength ?? 0)),
  });
  const answer = await begin(app.port, PERIOD);
  await waitUntil(() => app.lastResponse()?.writableNeedDrain, "the export to wait for its reader");
  const readAhead = app.countStatements();
  expect(readAhead).toBeLessThan(100);
  let text = "";
  for await (const bytes of answer.setEncoding("utf8")) text += bytes as string;
  // One statement for each page of 200 rows, and one that finds no more rows.
  expect(app.countStatements()).toBe(251);
  expect(mostHeld).toBeLessThan(3 * PAGE_BYTES);
  const { data } = JSON.parse(text) as { data: { id: string; cost_usd: string }[] };
  expect(data.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  expect(data[0]).toMatchObject({ cost_nanodollars: 1_500, cost_usd: "0.000001500" });
}, 60_000);

test("disconnects a client that does not read, and stops reading its export", async () => {
  const { database } = await ledgerOf(30_000);
  const app = await startAdminApp(database, { clientStallTimeoutMs: 300 });
  const answer = await begin(app.port, PERIOD);
  answer.on("error", () => {});
  await waitUntil(() => app.ended.length === 1, "the export to be aborted", 10_000);
  expect(app.ended[0]?.outcome).toBe("client_gone");
  const read = app.countStatements();
  expect(read).toBeLessThan(60);
  await sendRequest(app.port, { method: "GET", path: "/admin/v1/requests?to=2020-01-01", body: "" });
  expect(app.countStatements()).toBe(read + 1);
}, 30_000);

test("stops reading an export whose client disconnects", async () => {
  const { database } = await ledgerOf(30_000);
  const app = await startAdminApp(database);
  const answer = await begin(app.port, PERIOD);
  await waitUntil(() => app.lastResponse()?.writableNeedDrain, "the export to wait for its reader");
  answer.destroy();
  await waitUntil(() => app.ended.length === 1, "the export to end");
  const read = app.countStatements();
  expect(read).toBeLessThan(60);
  await sendRequest(app.port, { method: "GET", path: "/admin/v1/requests?to=2020-01-01", body: "" });
  expect(app.countStatements()).toBe(read + 1);
}, 30_000);

test("aborts an export that fails midway, so that it is visibly incomplete, and logs the error", async () => {
  const { database } = await ledgerOf(3_000);
  const app = await startAdminApp(database, {
    beforeStatement(count) {
      if (count === 4) throw Object.assign(new Error("terminated"), { code: "57P01" });
    },
  });
  const client = new RawClient(app.port);
  client.send(`GET /admin/v1/requests?${PERIOD}&format=ndjson HTTP/1.1\r\nhost: gateway\r\n\r\n`);
  const answer = await client.waitForEnd("the export");
  expect([answer?.status, answer?.complete]).toEqual([200, false]);
  await waitUntil(() => app.ended.length === 1, "the export to end");
  expect(app.ended[0]).toMatchObject({ errorCode: "store_unavailable", errorCause: "57P01" });
});

test("answers 503 to an export that cannot begin", async () => {
  const app = await startAdminApp(await openTestDatabase(), {
    beforeStatement() {
      throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    },
  });
  const answer = await sendRequest(app.port, { method: "GET", path: "/admin/v1/requests", body: "" });
  expect(answer.status).toBe(503);
  expect(answer.headers["retry-after"]).toBe("2");
  expect(JSON.parse(answer.body.toString()).error.code).toBe("store_unavailable");
});

test("answers 500 to any other failure of the database", async () => {
  const app = await startAdminApp(await openTestDatabase(), {
    beforeStatement() {
      throw Object.assign(new Error("no such column"), { code: "42703" });
    },
  });
  const answer = await sendRequest(app.port, { method: "GET", path: "/admin/v1/usage", body: "" });
  expect([answer.status, JSON.parse(answer.body.toString()).error.code]).toEqual([500, "internal_error"]);
  expect(answer.body.toString()).not.toContain("column");
});

test.each(["json", "ndjson", "csv"])("an export of no rows and of one row is valid %s", async (format) => {
  const { database } = await ledgerOf(1);
  const app = await startAdminApp(database);
  const lines = async (period: string): Promise<number> => {
    const path = `/admin/v1/requests?${period}&format=${format}`;
    const { body } = await sendRequest(app.port, { method: "GET", path, body: "" });
    const text = body.toString();
    if (format === "json") return (JSON.parse(text) as { data: unknown[] }).data.length;
    return text.split(format === "csv" ? "\r\n" : "\n").length - (format === "csv" ? 2 : 1);
  };
  expect(await lines("to=2020-01-01")).toBe(0);
  expect(await lines(PERIOD)).toBe(1);
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
  const begun = async (query: string): Promise<number[]> => {
    const path = `/admin/v1/requests?from=2026-11-01&${query}`;
    const { body } = await sendRequest(app.port, { method: "GET", path, body: "" });
    const { data } = JSON.parse(body.toString()) as { data: { started_at: string }[] };
    return data.map((row) => Date.parse(row.started_at) - NOVEMBER);
  };
  expect(await begun("to=2026-11-02")).toEqual([0, 1, 2]);
  expect(await begun("to=2026-12-01")).toEqual([0, 1, 2, 86_400_000]);
  expect(await begun("to=2026-11-01T00:00:00.002Z")).toEqual([0, 1]);
  expect(await begun("to=2026-11-02T01:00:00%2B01:00")).toEqual([0, 1, 2]);
  expect(await begun("to=2026-12-01&key=env:team")).toEqual([1]);
  expect(await begun("to=2026-12-01&state=pending")).toEqual([2]);
});
