import { expect, onTestFinished, test, vi } from "vitest";
import { timeSeriesSchema } from "../../src/presentation/time-series-format.ts";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { formatUsd } from "../../src/money.ts";
import { startAdminApp } from "../support/admin-app.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createSettledRow, insertRequests } from "../support/ledger-rows.ts";
import { createRollup, insertRollups } from "../support/rollup-rows.ts";
import { NOVEMBER } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

const MODEL = "openai/gpt-4o-mini";

async function start(options: Parameters<typeof startAdminApp>[1] = {}) {
  const database = await openTestDatabase();
  const app = await startAdminApp(database, options);
  const fetchPath = async (path: string) => {
    const response = await sendRequest(app.port, { method: "GET", path: `/admin/v1${path}`, body: "" });
    return { status: response.status, body: JSON.parse(response.body.toString()) };
  };
  return { database, app, fetchPath };
}

/** Stops the clock of the process until the test ends. */
function stopClock(now: string): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(now) });
  onTestFinished(() => void vi.useRealTimers());
}

test("series and failures show the requests that a gateway served, refused and failed to serve", async () => {
  const simulator = await startSimulator({ generationDelayMs: 50 });
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body;
  await gateway.call(secret);
  await gateway.call(secret);
  await gateway.call(gateway.caller);
  const failing = buildChatBody({ model: "sim/error:status=429" });
  expect((await gateway.call(gateway.caller, { body: failing })).status).toBe(429);
  const read = (path: string) => gateway.callAdmin("GET", path);
  await waitUntil(
    async () => (await read("/usage?by=key")).body.total.requests === 4,
    "four requests in the sums",
  );
  const cost = formatUsd(simulator.readStats().billedNanodollars);
  for (const step of ["minute", "hour", "day"]) {
    const { body } = await read(`/timeseries?step=${step}&by=key`);
    expect(timeSeriesSchema.parse(body)).toEqual(body);
    const totals = {
      requests: 4,
      failed_requests: 1,
      cancelled_requests: 0,
      unknown_requests: 0,
      cost_usd: cost,
    };
    expect([step, body.total]).toMatchObject([step, totals]);
    expect(body.total.duration_ms.p95).toBeGreaterThan(0);
    expect(body.data).toMatchObject([
      { key_name: "bob", is_other: false, total: { requests: 2, failed_requests: 0 } },
      { key_name: "first-caller", is_other: false, total: { requests: 2, failed_requests: 1 } },
    ]);
    const inPoints = body.points.reduce(
      (sum: number, { requests }: { requests: number }) => sum + requests,
      0,
    );
    expect([body.points.length, inPoints]).toEqual([body.times.length, 4]);
  }
  const ofBob = await read(
    `/timeseries?step=minute&key=bob&model=openrouter/${MODEL}&endpoint=chat/completions`,
  );
  expect(ofBob.body).toMatchObject({ total: { requests: 2 }, data: [] });
  const failures = (await read("/failures")).body;
  expect(failures).toMatchObject({
    is_complete: true,
    data: [{ endpoint: "chat/completions", model: "sim/error:status=429", status: 429, requests: 1 }],
  });
  const [row] = (await read("/requests?order=desc&limit=1")).body.data;
  expect(failures.data[0]).toMatchObject({ last_id: row.id, last_at: row.started_at, outcome: row.outcome });
});

test.each([
  ["minute", 60, "2026-11-22T14:46:00.000Z", "2026-11-22T15:46:00.000Z"],
  ["hour", 24, "2026-11-21T16:00:00.000Z", "2026-11-22T16:00:00.000Z"],
  ["day", 30, "2026-10-24T00:00:00.000Z", "2026-11-23T00:00:00.000Z"],
])(
  "by default, a series by the %s has %i steps and ends with the current one",
  async (step, steps, from, to) => {
    stopClock("2026-11-22T15:45:30Z");
    const { fetchPath } = await start();
    const { body } = await fetchPath(`/timeseries?step=${step}`);
    expect(body).toMatchObject({ from, to, step, data: [] });
    expect([body.times.length, body.times[0], body.points.length]).toEqual([steps, from, steps]);
    expect(body.points[0]).toEqual({
      requests: 0,
      failed_requests: 0,
      cancelled_requests: 0,
      unknown_requests: 0,
      prompt_tokens: 0,
      completion_tokens: 0,
      cost_usd: "0.000000000",
      first_byte_ms: null,
      duration_ms: null,
    });
  },
);

test("a series has the whole steps around its period", async () => {
  const { fetchPath } = await start();
  const { body } = await fetchPath(
    "/timeseries?step=hour&from=2026-11-01T10:59:59.999Z&to=2026-11-01T12:00:00.001Z",
  );
  expect(body.times).toEqual([10, 11, 12].map((hour) => `2026-11-01T${hour}:00:00.000Z`));
  expect(body.to).toBe("2026-11-01T13:00:00.000Z");
});

test.each([
  [
    "step=minute&from=2026-11-01T00:00:00Z&to=2026-11-01T03:00:00.001Z",
    "from",
    "step=minute. Use a later from, or step=hour.",
  ],
  ["step=hour&from=2026-10-01&to=2026-11-02", "from", "more than 31 days before to"],
  [
    "step=day&from=2025-01-01&to=2026-11-02",
    "from",
    "more than 400 days before to, the longest period of step=day. Use a later from.",
  ],
  ["from=2026-11-02&to=2026-11-02", "from", "from must be before to"],
  ["step=week", "step", "must be one of minute, hour, day"],
  ["by=end_user", "by", "must be one of key, group, model, provider, endpoint"],
  ["series=21", "series", "at most 20"],
  ["endpoint=chat", "endpoint", "must be one of"],
  ["day=1", "day", "is unknown"],
])("refuses the series %s", async (query, param, message) => {
  const { fetchPath } = await start();
  const { status, body } = await fetchPath(`/timeseries?${query}`);
  expect([status, body.error]).toMatchObject([400, { param }]);
  expect(body.error.message).toContain(message);
});

test("a key or group that does not exist gets 404, and the key of a configured name its own series", async () => {
  const { database, fetchPath } = await start();
  await insertRollups(database, [createRollup(NOVEMBER, ["env:team"], 4)]);
  const time = "from=2026-11-01&to=2026-11-02";
  expect((await fetchPath(`/timeseries?${time}&group=nobody`)).status).toBe(404);
  const { body } = await fetchPath(`/timeseries?${time}&by=key&key=env:team`);
  expect(body.data).toMatchObject([{ key_id: "env:team", key_name: "team", total: { requests: 4 } }]);
  expect((await fetchPath(`/timeseries?${time}&by=group`)).body.data).toMatchObject([
    { group_id: null, group_name: null },
  ]);
});

test("equal queries share one result for two seconds", async () => {
  const { app, fetchPath } = await start();
  const path = "/timeseries?step=minute&from=2026-11-01T00:00:00Z&to=2026-11-01T01:00:00Z";
  await Promise.all(Array.from({ length: 10 }, () => fetchPath(path)));
  await fetchPath(path);
  expect(app.countStatements()).toBe(1);
  await fetchPath(`${path}&by=model`);
  expect(app.countStatements()).toBe(2);
});

test("a failed query is not shared with later ones", async () => {
  const { fetchPath } = await start({
    beforeStatement: (count) => {
      if (count === 0) throw Object.assign(new Error("closed"), { code: "ECONNREFUSED" });
    },
  });
  expect((await fetchPath("/timeseries?step=minute")).status).toBe(503);
  expect((await fetchPath("/timeseries?step=minute")).status).toBe(200);
});

test("failures cover the last day by default, and end before `to`", async () => {
  stopClock("2026-11-02T00:00:00Z");
  const { database, fetchPath } = await start();
  const failed = { outcome: "rejected", status: 503, provider: null } as const;
  await insertRequests(database, [createSettledRow(0, failed, 1), createSettledRow(3_600_000, failed, 2)]);
  const { body } = await fetchPath("/failures");
  expect(body).toMatchObject({ from: "2026-11-01T00:00:00.000Z", to: "2026-11-02T00:00:00.000Z" });
  expect(body.data).toMatchObject([{ requests: 2, provider: null, last_at: "2026-11-01T01:00:00.000Z" }]);
  const earlier = await fetchPath("/failures?from=2026-10-31&to=2026-11-01T01:00:00Z");
  expect(earlier.body.data).toMatchObject([{ requests: 1, last_at: "2026-11-01T00:00:00.000Z" }]);
  expect((await fetchPath("/failures?from=2026-11-02&to=2026-11-01")).body.error.param).toBe("from");
});

test("with a limit, a report has the lines of the highest cost and the total of all lines", async () => {
  const { database, fetchPath } = await start();
  const rows = [3, 9, 1, 9, 4].map((cost, index) => ({
    ...createRollup(NOVEMBER + (index % 2) * 86_400_000, [`key_${index}`, "a/b", "P"], 2),
    cost_nanodollars: cost,
  }));
  await insertRollups(database, rows);
  const time = "from=2026-11-01&to=2026-11-03";
  const { body } = await fetchPath(`/usage?${time}&by=day,key&limit=3`);
  const lines = body.data.map((line: Record<string, unknown>) => [
    line["day"],
    line["key_id"],
    line["cost_nanodollars"],
  ]);
  expect(lines).toEqual([
    ["2026-11-02", "key_1", 9],
    ["2026-11-02", "key_3", 9],
    ["2026-11-01", "key_4", 4],
  ]);
  const all = await fetchPath(`/usage?${time}&by=day,key`);
  expect([body.total, body.total.cost_nanodollars]).toEqual([all.body.total, 26]);
  expect((await fetchPath(`/usage?by=key&limit=3&from=2026-10-01&to=2026-10-02`)).body).toMatchObject({
    data: [],
    total: { requests: 0 },
  });
  expect((await fetchPath("/usage?limit=0")).body.error.param).toBe("limit");
});
