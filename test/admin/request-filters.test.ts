import { expect, test } from "vitest";
import type { RequestRow } from "../../src/metering/record.ts";
import { startAdminApp } from "../support/admin-app.ts";
import { createSettledRow, insertRequests } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { openTestDatabase } from "../support/test-database.ts";

const PERIOD = "from=2026-11-01&to=2026-12-01";
/** Longer than a page may take. */
const SLOW_MS = 1_100;

async function get(port: number, path: string) {
  const { status, headers, body } = await sendRequest(port, {
    method: "GET",
    path: `/admin/v1${path}`,
    body: "",
  });
  return { status, headers, text: body.toString() };
}

async function getJson(port: number, path: string) {
  const { status, text } = await get(port, path);
  return { status, json: JSON.parse(text) };
}

function blockThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("every filter selects its rows, and all filters of a request apply", async () => {
  const database = await openTestDatabase();
  const fields: Partial<RequestRow>[] = [
    {},
    { provider: "Azure", endpoint: "messages", outcome: "upstream_error", status: 429 },
    { requested_model: "fast", forwarded_model: "google/gemini", outcome: "client_gone" },
    { provider: "<script>alert(1)</script>", end_user: "<script>", request_id: "my-request" },
    { state: "unknown", outcome: "interrupted", status: 0, cost_nanodollars: null, cost_source: "unknown" },
  ];
  const rows = fields.map((row, index) => createSettledRow(index, row));
  await insertRequests(database, rows);
  const { port } = await startAdminApp(database);
  const find = async (query: string): Promise<number[]> => {
    const { json } = await getJson(port, `/requests?${PERIOD}&${query}`);
    return json.data.map(({ id }: RequestRow) => rows.findIndex((row) => row.id === id));
  };
  expect(await find("provider=Azure")).toEqual([1]);
  expect(await find("endpoint=messages")).toEqual([1]);
  expect(await find("model=fast")).toEqual([2]);
  expect(await find("model=google/gemini")).toEqual([2]);
  expect(await find("outcome=client_gone")).toEqual([2]);
  expect(await find("status=429")).toEqual([1]);
  expect(await find("status=0")).toEqual([4]);
  expect(await find("failed=true")).toEqual([1, 4]);
  expect(await find("failed=true&state=unknown")).toEqual([4]);
  expect(await find("failed=true&provider=Google")).toEqual([4]);
  expect(await find("failed=true&model=fast")).toEqual([]);
  expect(await find(`provider=${encodeURIComponent("<script>alert(1)</script>")}`)).toEqual([3]);
  expect(await find("search=my-request")).toEqual([3]);
  expect(await find(`search=gen-${rows[2]?.id}`)).toEqual([2]);
  expect(await find(`search=${rows[2]?.id}&limit=1`)).toEqual([2]);
});

test.each([
  ["failed=maybe", "failed must be true or false."],
  ["status=abc", "status"],
  ["status=600", "status"],
  ["outcome=ok", "outcome must be one of complete, client_gone, upstream_error, rejected, interrupted."],
  ["search=", "search must not be empty."],
  ["endpoint=nothing", "endpoint must be one of"],
  ["group=nobody", "No group of keys has this id or name"],
  ["colour=red", "colour"],
])("refuses the filter %s with a message that says why", async (query, message) => {
  const { port } = await startAdminApp(await openTestDatabase());
  const { status, json } = await getJson(port, `/requests?${query}`);
  expect([status, json.error.message]).toEqual([
    query.startsWith("group") ? 404 : 400,
    expect.stringContaining(message),
  ]);
});

test.each(["json", "ndjson", "csv"])(
  "a %s page ends when its search takes too long, and its cursor continues the search",
  async (format) => {
    const database = await openTestDatabase();
    const rows = Array.from({ length: 6_000 }, (_, index) =>
      createSettledRow(index, { status: index === 5_900 ? 429 : 200 }),
    );
    await insertRequests(database, rows);
    let isSlow = true;
    const { port } = await startAdminApp(database, { beforeStatement: () => isSlow && blockThread(SLOW_MS) });
    const query = `/requests?${PERIOD}&status=429&limit=10&format=${format}`;
    const first = await get(port, query);
    const cursor = first.headers["x-next-cursor"];
    const searchedTo = "2026-11-01T00:00:04.999Z";
    expect([first.status, first.headers["x-searched-to"]]).toEqual([200, searchedTo]);
    const body = `{"data":[],"next_cursor":"${cursor}","searched_to":"${searchedTo}"}\n`;
    expect(first.text.endsWith(format === "json" ? body : "")).toBe(true);
    isSlow = false;
    const second = await get(port, `${query}&cursor=${cursor}`);
    expect(second.text).toContain(rows[5_900]?.id);
    expect([second.headers["x-next-cursor"], second.headers["x-searched-to"]]).toEqual([
      undefined,
      undefined,
    ]);
  },
);

test("an export without limit searches to its end, however long that takes", async () => {
  const database = await openTestDatabase();
  const rows = Array.from({ length: 6_000 }, (_, index) =>
    createSettledRow(index, { status: index === 5_900 ? 429 : 200 }),
  );
  await insertRequests(database, rows);
  const { port } = await startAdminApp(database, { beforeStatement: () => blockThread(SLOW_MS) });
  const { json } = await getJson(port, `/requests?${PERIOD}&status=429`);
  expect(json).toEqual({ data: [expect.objectContaining({ id: rows[5_900]?.id })] });
});

test("shows the record of one request with its cost lookups", async () => {
  const database = await openTestDatabase();
  const [settled, pending] = [
    createSettledRow(0, { key_name: "<script>", cost_nanodollars: 1 }),
    createSettledRow(1, {
      state: "pending",
      outcome: "client_gone",
      cost_nanodollars: null,
      cost_source: null,
      settle_attempts: 3,
      settle_at: Date.UTC(2026, 10, 1, 12),
    }),
  ];
  await insertRequests(database, [settled, pending]);
  const { port } = await startAdminApp(database);
  const { json } = await getJson(port, `/requests/${settled.id}`);
  const listed = await getJson(port, `/requests?${PERIOD}&limit=1`);
  expect(json).toEqual({ ...listed.json.data[0], settlement: { attempts: 0, next_attempt_at: null } });
  expect(json).toMatchObject({ key_name: "<script>", cost_usd: "0.000000001", stream: true });
  const latest = await getJson(port, "/requests/latest");
  expect(latest.json).toMatchObject({
    id: pending.id,
    cost_usd: null,
    settlement: { attempts: 3, next_attempt_at: "2026-11-01T12:00:00.000Z" },
  });
});

test("responds with 404 to an id that the ledger does not have, and with 405 to other methods", async () => {
  const { port } = await startAdminApp(await openTestDatabase());
  const missing = await getJson(port, "/requests/none");
  expect([missing.status, missing.json.error.code]).toEqual([404, "request_not_found"]);
  expect((await getJson(port, "/requests/latest")).status).toBe(404);
  const deletion = await sendRequest(port, { method: "DELETE", path: "/admin/v1/requests/none", body: "" });
  expect([deletion.status, deletion.headers["allow"]]).toEqual([405, "GET"]);
});
