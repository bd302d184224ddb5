import { expect, onTestFinished, test, vi } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { addRollups, rollup } from "../store/rollup-rows.ts";
import { addRequests, NOVEMBER, settledRow } from "../store/rows.ts";
import { ask } from "../support/ask.ts";
import { openTestDatabase } from "../support/store.ts";
import { startAdminApp } from "./admin-app.ts";

const HEAD =
  "requests,unknown_requests,prompt_tokens,completion_tokens,cached_tokens,reasoning_tokens,cost_nanodollars,cost_usd";

async function start(database: Database) {
  const { port } = await startAdminApp(database);
  return async (query: string): Promise<string> => {
    const answer = await ask(port, { method: "GET", path: `/admin/v1/usage?${query}`, body: "" });
    expect([query, answer.status]).toEqual([query, 200]);
    return answer.body.toString();
  };
}

test("a report has its time, its lines, their total and what is pending", async () => {
  const database = await openTestDatabase();
  await addRollups(database, [
    { ...rollup(NOVEMBER, ["env:team", "a/b", "X"], 2), cost_nanodollars: 12_345_678_901 },
  ]);
  await addRequests(database, [settledRow(0, { state: "open" })]);
  const usage = await start(database);
  const sums = {
    requests: 2,
    unknown_requests: 2,
    prompt_tokens: 202,
    completion_tokens: 74,
    cached_tokens: 2,
    reasoning_tokens: 2,
    cost_nanodollars: 12_345_678_901,
    cost_usd: "12.345678901",
  };
  const report = await usage("by=provider,day,key,model&from=2026-11-01&to=2026-11-01T01:30:00Z");
  expect(JSON.parse(report)).toEqual({
    from: "2026-11-01T00:00:00.000Z",
    to: "2026-11-01T02:00:00.000Z",
    data: [{ day: "2026-11-01", key_id: "env:team", key_name: "team", model: "a/b", provider: "X", ...sums }],
    total: sums,
    pending_requests: 1,
  });
});

test("a report as a table has a column for each group that was asked for, also when it has no line", async () => {
  const database = await openTestDatabase();
  const usage = await start(database);
  expect(await usage("by=provider&format=csv")).toBe(`provider,${HEAD}\r\n`);
  expect(await usage("by=model,key,day&format=csv")).toBe(`day,key_id,key_name,model,${HEAD}\r\n`);
  await addRollups(database, [rollup(NOVEMBER, ["env:team", '=a,"b"', "X"])]);
  const table = await usage("by=model,key&format=csv&from=2026-11-01&to=2026-11-02");
  expect(table.split("\r\n")).toEqual([
    `key_id,key_name,model,${HEAD}`,
    `env:team,team,"'=a,""b""",1,1,101,37,1,1,1234567,0.001234567`,
    "",
  ]);
});

test("a report is of the last thirty days if nothing else is said, and of those before its end if that is", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-11-22T15:45:00Z") });
  onTestFinished(() => void vi.useRealTimers());
  const usage = await start(await openTestDatabase());
  const timeOf = async (query: string): Promise<string[]> => {
    const { from, to } = JSON.parse(await usage(query)) as { from: string; to: string };
    return [from, to].map((text) => text.slice(0, 16));
  };
  expect(await timeOf("")).toEqual(["2026-10-23T15:00", "2026-11-22T16:00"]);
  expect(await timeOf("to=2026-11-01")).toEqual(["2026-10-02T00:00", "2026-11-01T00:00"]);
  expect(await timeOf("from=2026-11-21T23:30:00-01:00")).toEqual(["2026-11-22T00:00", "2026-11-22T16:00"]);
});

test("reports and exports take a key by its name, by its id, and those that no table has by what they are called", async () => {
  const database = await openTestDatabase();
  const { port } = await startAdminApp(database);
  const manage = async (method: string, path: string, body = "") => {
    const answer = await ask(port, { method, path: `/admin/v1${path}`, body });
    return JSON.parse(answer.body.toString());
  };
  const { id } = await manage("POST", "/keys", '{"name":"bob"}');
  await addRollups(
    database,
    [id, "env:bob", "anonymous"].map((key: string, index) => rollup(NOVEMBER, [key], index + 1)),
  );
  const requests = async (key: string): Promise<number> =>
    (await manage("GET", `/usage?from=2026-11-01&to=2026-11-02&key=${key}`)).total.requests;
  const counts = ["bob", id, "env:bob", "anonymous", "env:nobody"].map(requests);
  expect(await Promise.all(counts)).toEqual([1, 1, 2, 3, 0]);
  await manage("DELETE", "/keys/bob");
  expect(await requests(id)).toBe(1);
});
