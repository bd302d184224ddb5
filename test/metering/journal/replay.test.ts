import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { StartEntry } from "../../../src/metering/journal/format.ts";
import { Journal } from "../../../src/metering/journal/journal.ts";
import { type RecoveryResult, recoverJournals } from "../../../src/metering/journal/replay.ts";
import { createOpenRow } from "../../../src/metering/request-row.ts";
import type { RequestRow } from "../../../src/metering/record.ts";
import { createTemporaryDirectory } from "../../support/temporary-directory.ts";
import { waitFor } from "../../support/wait.ts";

const opening = (id: string): StartEntry => ({
  id,
  request_id: `r-${id}`,
  key_id: "key_1",
  key_name: "team",
  requested_model: "a/b",
  forwarded_model: "a/b",
  stream: 0,
  bytes_in: 1,
  started_at: 1_790_000_000_000,
});

/** Leaves a segment of a process that is dead. */
function leave(directory: string, name: string, ...entries: unknown[]): void {
  const lines = entries.map((entry) => (typeof entry === "string" ? entry : JSON.stringify(entry)));
  writeFileSync(join(directory, name), lines.map((line) => `${line}\n`).join(""));
}

async function recover(
  directory: string,
  own = "own",
): Promise<{ rows: RequestRow[]; found: RecoveryResult }> {
  const rows: RequestRow[] = [];
  const found = await recoverJournals(directory, own, (some) => {
    rows.push(...some);
    return Promise.resolve(some.length);
  });
  return { rows, found };
}

test("what a dead process wrote in several segments is put together, in the order of their numbers", async () => {
  const directory = createTemporaryDirectory();
  leave(directory, "dead.2.jsonl", ["open", opening("1")], ["open", opening("2")]);
  leave(directory, "dead.10.jsonl", ["head", "1", { status: 200, generationId: "gen-1" }]);
  leave(directory, "dead.11.jsonl", ["row", { ...createOpenRow(opening("2"), "dead"), state: "settled" }]);
  const { rows, found } = await recover(directory);
  expect(found).toEqual({ instances: 1, rows: 2, damagedLines: 0 });
  expect(rows.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual(["1 pending", "2 settled"]);
  expect(rows.find(({ id }) => id === "1")).toMatchObject({
    instance: "dead",
    generation_id: "gen-1",
    outcome: "interrupted",
    status: 200,
  });
  expect(readdirSync(directory)).toEqual([]);
});

test("a lock that was left without a journal is deleted, unless its process may just be starting", async () => {
  const directory = createTemporaryDirectory();
  for (const name of ["old.lock", "old.lock-journal", "new.lock"]) writeFileSync(join(directory, name), "");
  const then = (Date.now() - 61_000) / 1_000;
  utimesSync(join(directory, "old.lock"), then, then);
  expect((await recover(directory)).found).toEqual({ instances: 0, rows: 0, damagedLines: 0 });
  expect(readdirSync(directory)).toEqual(["new.lock"]);
});

test("a row wins over the head and the beginning of its request, wherever it stands", async () => {
  const directory = createTemporaryDirectory();
  const row = { ...createOpenRow(opening("1"), "dead"), state: "settled", cost_nanodollars: 5 };
  const head = ["head", "1", { status: 200, generationId: "gen-1" }];
  leave(directory, "dead.1.jsonl", ["row", row], ["open", opening("1")], head);
  expect((await recover(directory)).rows).toEqual([row]);
});

test("the journals of several dead processes are recovered, those that live and its own are left alone", async () => {
  const directory = createTemporaryDirectory();
  leave(directory, "a.1.jsonl", ["open", opening("1")]);
  leave(directory, "b.1.jsonl", ["open", opening("2")]);
  leave(directory, "own.1.jsonl", ["open", opening("3")]);
  const live = new Journal(directory, "live", 1_000_000);
  const kept = Promise.withResolvers<Error | undefined>();
  live.recordStart(opening("4"), kept.resolve);
  expect(await waitFor(kept.promise, "the line")).toBeUndefined();
  const { rows, found } = await recover(directory);
  expect(rows.map(({ id }) => id).toSorted()).toEqual(["1", "2"]);
  expect(found.instances).toBe(2);
  const left = readdirSync(directory).filter((name) => name.endsWith(".jsonl"));
  expect(left).toEqual(["live.1.jsonl", "own.1.jsonl"]);
  live.close();
});

test("of two that recover at the same time one finds the rows", async () => {
  const directory = createTemporaryDirectory();
  leave(directory, "dead.1.jsonl", ["open", opening("1")]);
  const found = await Promise.all([recover(directory, "x"), recover(directory, "y")]);
  expect(found.flatMap(({ rows }) => rows)).toHaveLength(1);
});

test("a request without a generation ends as unknown whatever its status, which proves no refusal", async () => {
  const directory = createTemporaryDirectory();
  const heads = [400, 402, 429, 500, 503, 504, 524, 200].map((status) => ["head", `${status}`, { status }]);
  const begun = [...heads.map(([, id]) => id as string), "none"].map((id) => ["open", opening(id)]);
  leave(directory, "dead.1.jsonl", ...begun, ...heads);
  const { rows } = await recover(directory);
  const bills = rows.map(({ id, state, cost_nanodollars, cost_source }) => [
    id,
    state,
    cost_nanodollars,
    cost_source,
  ]);
  const ids = ["400", "402", "429", "500", "503", "504", "524", "200", "none"];
  expect(bills).toEqual(ids.map((id) => [id, "unknown", null, "unknown"]));
});

test.each([
  "null",
  "5",
  "{}",
  "[]",
  '"text"',
  '["open"]',
  '["open",null]',
  '["row",{}]',
  '["other",{"id":"9"}]',
  "\0\0",
])(
  "a line that is %j is damaged, does not keep the others back, and stays for a person to look at",
  async (line) => {
    const directory = createTemporaryDirectory();
    leave(directory, "dead.1.jsonl", ["open", opening("1")], line, ["open", opening("2")]);
    leave(directory, "dead.2.jsonl", ["open", opening("3")]);
    const { rows, found } = await recover(directory);
    expect(rows.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    expect(found.damagedLines).toBe(1);
    expect(readdirSync(directory)).toEqual(["dead.1.jsonl.damaged"]);
    expect(readFileSync(join(directory, "dead.1.jsonl.damaged"), "utf8")).toContain(line);
    expect((await recover(directory)).found.instances).toBe(0);
  },
);
