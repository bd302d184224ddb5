import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { LINES_PER_PAGE } from "../../src/metering/sql/report.ts";
import { insertRollups, createRollup } from "../support/rollup-rows.ts";
import { insertRequests, NOVEMBER, createSettledRow } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";
import { startAdminApp } from "../support/admin-app.ts";

const CSV_COLUMNS =
  "requests,unknown_requests,prompt_tokens,completion_tokens,cached_tokens,cache_write_tokens,reasoning_tokens,prompt_audio_tokens,failed_requests,cancelled_requests,cost_nanodollars,cost_usd,byok_nanodollars,byok_usd";

async function start(database: Database) {
  const { port } = await startAdminApp(database);
  return async (query: string): Promise<string> => {
    const response = await sendRequest(port, { method: "GET", path: `/admin/v1/usage?${query}`, body: "" });
    expect([query, response.status]).toEqual([query, 200]);
    return response.body.toString();
  };
}

test("a report has its period, lines, total and number of pending requests", async () => {
  const database = await openTestDatabase();
  await insertRollups(database, [
    { ...createRollup(NOVEMBER, ["env:team", "a/b", "X", "responses"], 2), cost_nanodollars: 12_345_678_901 },
  ]);
  await insertRequests(database, [createSettledRow(0, { state: "open" })]);
  const usage = await start(database);
  const sums = {
    requests: 2,
    unknown_requests: 2,
    prompt_tokens: 202,
    completion_tokens: 74,
    cached_tokens: 2,
    cache_write_tokens: 2,
    reasoning_tokens: 2,
    prompt_audio_tokens: 2,
    failed_requests: 2,
    cancelled_requests: 2,
    cost_nanodollars: 12_345_678_901,
    cost_usd: "12.345678901",
    byok_nanodollars: 15_308_642,
    byok_usd: "0.015308642",
  };
  const report = await usage("by=provider,endpoint,day,key,model&from=2026-11-01&to=2026-11-01T02:00:00Z");
  expect(JSON.parse(report)).toEqual({
    from: "2026-11-01T00:00:00.000Z",
    to: "2026-11-01T02:00:00.000Z",
    data: [
      {
        day: "2026-11-01",
        key_id: "env:team",
        key_name: "team",
        model: "a/b",
        provider: "X",
        endpoint: "responses",
        ...sums,
      },
    ],
    total: sums,
    pending_requests: 1,
  });
});

test("a CSV report has a column for each requested group, even if it has no lines", async () => {
  const database = await openTestDatabase();
  const usage = await start(database);
  expect(await usage("by=provider&format=csv")).toBe(`provider,${CSV_COLUMNS}\r\n`);
  expect(await usage("by=endpoint,provider&format=csv")).toBe(`provider,endpoint,${CSV_COLUMNS}\r\n`);
  expect(await usage("by=model,key,day&format=csv")).toBe(`day,key_id,key_name,model,${CSV_COLUMNS}\r\n`);
  await insertRollups(database, [createRollup(NOVEMBER, ["env:team", '=a,"b"', "X"])]);
  const table = await usage("by=model,key&format=csv&from=2026-11-01&to=2026-11-02");
  expect(table.split("\r\n")).toEqual([
    `key_id,key_name,model,${CSV_COLUMNS}`,
    `env:team,team,"'=a,""b""",1,1,101,37,1,1,1,1,1,1,1234567,0.001234567,7654321,0.007654321`,
    "",
  ]);
});

test("a report covers the last thirty days by default, or the thirty days before `to`", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-11-22T15:45:00Z") });
  onTestFinished(() => void vi.useRealTimers());
  const usage = await start(await openTestDatabase());
  const getPeriod = async (query: string): Promise<string[]> => {
    const { from, to } = JSON.parse(await usage(query)) as { from: string; to: string };
    return [from, to].map((text) => text.slice(0, 16));
  };
  expect(await getPeriod("")).toEqual(["2026-10-23T15:00", "2026-11-22T16:00"]);
  expect(await getPeriod("to=2026-11-01")).toEqual(["2026-10-02T00:00", "2026-11-01T00:00"]);
  expect(await getPeriod("from=2026-11-21T23:00:00-01:00")).toEqual(["2026-11-22T00:00", "2026-11-22T16:00"]);
  vi.setSystemTime(Date.parse("2026-11-22T15:00:00Z"));
  expect(await getPeriod("")).toEqual(["2026-10-23T15:00", "2026-11-22T16:00"]);
  expect(await getPeriod("to=2026-11-22T15:00:00Z")).toEqual(["2026-10-23T15:00", "2026-11-22T15:00"]);
});

test("a report finds a stored key by its name or id, and a configured or anonymous key by its id", async () => {
  const database = await openTestDatabase();
  const { port } = await startAdminApp(database);
  const manage = async (method: string, path: string, body = "") => {
    const response = await sendRequest(port, { method, path: `/admin/v1${path}`, body });
    return JSON.parse(response.body.toString());
  };
  const { id } = await manage("POST", "/keys", '{"name":"bob"}');
  await insertRollups(
    database,
    [id, "env:bob", "anonymous"].map((key: string, index) => createRollup(NOVEMBER, [key], index + 1)),
  );
  const requests = async (key: string): Promise<number> =>
    (await manage("GET", `/usage?from=2026-11-01&to=2026-11-02&key=${key}`)).total.requests;
  const counts = ["bob", id, "env:bob", "anonymous", "env:nobody"].map(requests);
  expect(await Promise.all(counts)).toEqual([1, 1, 2, 3, 0]);
  await manage("DELETE", "/keys/bob");
  expect(await requests(id)).toBe(1);
});

test.each([
  ["from=2026-11-01T00:30:00Z", "from", "2026-11-01T00:00:00Z or 2026-11-01T01:00:00Z."],
  [
    "from=2026-11-01&to=2026-11-02T00:00:00%2B05:30",
    "to",
    "2026-11-01T18:00:00Z or 2026-11-01T19:00:00Z, or leave",
  ],
  ["to=2026-11-02T00:00:00.001Z", "to", "2026-11-02T00:00:00Z or 2026-11-02T01:00:00Z, or leave"],
])(
  "refuses the bound %s, which is not a full hour, and names the nearest hours",
  async (query, param, remedy) => {
    const { port } = await startAdminApp(await openTestDatabase());
    const response = await sendRequest(port, { method: "GET", path: `/admin/v1/usage?${query}`, body: "" });
    const { error } = JSON.parse(response.body.toString());
    expect([response.status, error.code, error.param]).toEqual([400, "invalid_value", param]);
    expect(error.message).toContain(remedy);
  },
);

test("streams a complete report of 20,000 keys as JSON and as CSV, also to a slow reader", async () => {
  const database = await openTestDatabase();
  await insertRollups(
    database,
    Array.from({ length: 20_000 }, (_, index) => createRollup(NOVEMBER, [`key_${index}`])),
  );
  let mostBuffered = 0;
  const app = await startAdminApp(database);
  const path = "/admin/v1/usage?from=2026-11-01&to=2026-11-02";
  const request = get({ host: "127.0.0.1", port: app.port, path, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  await waitUntil(() => app.lastResponse()?.writableNeedDrain, "the report to wait for its reader");
  let text = "";
  for await (const bytes of response.setEncoding("utf8")) {
    text += bytes as string;
    mostBuffered = Math.max(mostBuffered, app.lastResponse()?.writableLength ?? 0);
  }
  // A line has about 330 bytes.
  expect(mostBuffered).toBeLessThan(3 * LINES_PER_PAGE * 400);
  const { data, total } = JSON.parse(text) as { data: { key_id: string }[]; total: { requests: number } };
  expect([new Set(data.map(({ key_id }) => key_id)).size, total.requests]).toEqual([20_000, 20_000]);
  const csv = await sendRequest(app.port, {
    method: "GET",
    path: `${path}&format=csv&by=key,model,provider,day`,
    body: "",
  });
  expect(csv.body.toString().split("\r\n")).toHaveLength(20_002);
}, 60_000);

test("a report releases the database when its client disconnects before or after the response begins", async () => {
  const database = await openTestDatabase();
  await insertRollups(
    database,
    Array.from({ length: 900 }, (_, index) => createRollup(NOVEMBER, [`key_${index}`])),
  );
  const app = await startAdminApp(database);
  const path = "/admin/v1/usage?from=2026-11-01&to=2026-11-02&by=key,model";
  for (let count = 0; count < 10; count++) {
    const request = get({ host: "127.0.0.1", port: app.port, path, agent: false }).on("error", () => {});
    if (count % 2 === 0) await once(request, "response");
    else await once(request, "finish");
    request.destroy();
    await waitUntil(() => app.ended.length === count + 1, "the request to end");
  }
  const response = await sendRequest(app.port, { method: "GET", path, body: "" });
  expect(JSON.parse(response.body.toString()).total.requests).toBe(900);
});

test("a report has sums that exceed the largest safe integer as strings", async () => {
  const database = await openTestDatabase();
  const rows = [0, 1].map((hour) => createRollup(NOVEMBER + hour * 3_600_000, ["env:team"]));
  await insertRollups(
    database,
    rows.map((row) => ({ ...row, prompt_tokens: Number.MAX_SAFE_INTEGER, cost_nanodollars: 9e15 })),
  );
  const usage = await start(database);
  const { total, data } = JSON.parse(await usage("from=2026-11-01&to=2026-11-02"));
  const sums = { prompt_tokens: "18014398509481982", cost_nanodollars: "18000000000000000" };
  expect(total).toMatchObject({ ...sums, cost_usd: "18000000.000000000", requests: 2 });
  expect(data).toMatchObject([sums]);
  expect(await usage("from=2026-11-01&to=2026-11-02&format=csv")).toContain(",18014398509481982,");
});
